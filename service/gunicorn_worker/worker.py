"""How gunicorn's threads are given the requests of a connection."""

import socket
import struct
from concurrent.futures import Future
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.workers import gthread

SILENCE_SECONDS = 30
"""How long a client may neither send what it began to send nor take what it asked for."""


class ThreadWorker(gthread.ThreadWorker):
    """
    Serves what was read of a connection ahead of its turn, and stops without waiting for idle ones.

    A request that reaches the server in one piece with the body of the one before it, or pipelined
    behind it, is read along with that one. gunicorn then waits for bytes that are there already; and
    when it is stopped, for connections on which nobody asks for anything. And it lets a client that has
    gone silent in the middle of a request or an answer keep its thread for ever.
    """

    def enqueue_req(self, conn: gthread.TConn) -> None:
        if not conn.initialized:
            _let_go_when_silent(conn.sock)
        super().enqueue_req(conn)

    def finish_request(self, conn: gthread.TConn, fs: "Future[Any]") -> None:
        if self.alive and _wants_to_go_on(fs) and _has_read_ahead(conn):
            # To the end of the queue: one connection keeps no thread to itself.
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def murder_keepalived(self) -> None:
        if not self.alive:
            for connection in self.keepalived_conns:
                connection.timeout = 0
        super().murder_keepalived()


def _let_go_when_silent(connection: socket.socket) -> None:
    # The system's own limits: those of Python's sockets are taken off by gunicorn for each request.
    limit = struct.pack("ll", SILENCE_SECONDS, 0)
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, direction, limit)


def _wants_to_go_on(served: "Future[Any]") -> bool:
    return not served.cancelled() and served.exception() is None and served.result() is True


def _has_read_ahead(conn: gthread.TConn) -> bool:
    if not isinstance(conn.parser, RequestParser):
        return False
    if read := conn.parser.unreader.take_buffered():
        conn.parser.unreader.unread(read)
    return bool(read)
