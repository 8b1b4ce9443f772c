"""The worker class that serves the web: gunicorn's own, with threads, and corrections."""

import socket
import struct
from concurrent.futures import Future
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.workers import gthread

SILENCE_SECONDS = 30
"""How long a client may send nothing of a request, or take nothing of an answer, that has begun."""


class ThreadWorker(gthread.ThreadWorker):
    """
    gunicorn's worker with threads, corrected in three points.

    - A request that was read along with the one before it, as when they are pipelined, is served
      at once. gunicorn waits for more bytes from the client first.
    - Connections without a request are closed when the worker is stopped. gunicorn waits for them.
    - A client that is silent for `SILENCE_SECONDS` in the middle of a request or an answer loses its
      connection. gunicorn keeps a thread for it without a limit.
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
    # Limits of the system: gunicorn removes those of Python's sockets at each request.
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
