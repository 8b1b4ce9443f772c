"""The worker class of the web processes: gunicorn's threaded worker with corrections."""

import socket
import struct
from concurrent.futures import Future
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.workers import gthread

SILENCE_SECONDS = 30
"""How long a client may pause while it sends a request or receives an answer."""


class ThreadWorker(gthread.ThreadWorker):
    """
    gunicorn's threaded worker with three corrections.

    - A request that was read together with the one before it, as with pipelining, is served
      immediately. gunicorn waits for more bytes from the client first.
    - Connections without a request are closed when the worker is stopped. gunicorn waits for them.
    - The connection of a client that is silent for `SILENCE_SECONDS` in the middle of a request or an
      answer is closed. gunicorn keeps a thread for it forever.
    """

    def enqueue_req(self, conn: gthread.TConn) -> None:
        if not conn.initialized:
            _limit_silence(conn.sock)
        super().enqueue_req(conn)

    def finish_request(self, conn: gthread.TConn, fs: "Future[Any]") -> None:
        if self.alive and _keeps_connection(fs) and _has_read_ahead(conn):
            # At the end of the queue, so that one connection cannot occupy a thread.
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def murder_keepalived(self) -> None:
        if not self.alive:
            for connection in self.keepalived_conns:
                connection.timeout = 0
        super().murder_keepalived()


def _limit_silence(connection: socket.socket) -> None:
    # Limits of the operating system: gunicorn resets those of Python's sockets at each request.
    limit = struct.pack("ll", SILENCE_SECONDS, 0)
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, direction, limit)


def _keeps_connection(served: "Future[Any]") -> bool:
    return not served.cancelled() and served.exception() is None and served.result() is True


def _has_read_ahead(conn: gthread.TConn) -> bool:
    if not isinstance(conn.parser, RequestParser):
        return False
    if read := conn.parser.unreader.take_buffered():
        conn.parser.unreader.unread(read)
    return bool(read)
