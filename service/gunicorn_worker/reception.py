"""What becomes of a connection between its requests, in whichever thread has it."""

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus

from gunicorn.config import Config

from service.gunicorn_worker import limits, refusals
from service.gunicorn_worker.connections import Connection
from service.gunicorn_worker.exchanges import Exchange
from service.gunicorn_worker.refusals import Refused
from service.gunicorn_worker.turns import Turns

logger = logging.getLogger("gunicorn.error")


class Reception:
    """
    The connections of a process: takes what clients send until it is a request, and closes them.

    Each method that takes a connection is for the thread that has it, and never waits for the client. Where
    one returns True, there is a request that the caller now has to serve; otherwise the connection is given
    back or closed.
    """

    def __init__(
        self,
        cfg: Config,
        on_close: Callable[[], None],
        on_hang_up: Callable[[Exchange], None],
    ) -> None:
        self.turns = Turns()
        self.open: set[Connection] = set()
        """All connections, whoever has them."""
        self.limit: int = cfg.worker_connections
        self.is_ending = False
        """Whether connections are closed after the requests that have begun."""
        self._keepalive: int = cfg.keepalive
        self._on_close = on_close
        self._on_hang_up = on_hang_up
        self._overload = limits.Overload()

    def receive(self, connection: Connection) -> None:
        """Take up a new connection."""
        connection.is_extra = len(self.open) >= self.limit
        connection.wait_for(limits.HEAD_SECONDS)
        self.open.add(connection)
        self.turns.add(connection)

    def read(self, connection: Connection) -> bool:
        """Take what has arrived."""
        if connection.is_lined_up:
            return True
        if connection.exchange is not None:
            self._end_held(connection, connection.exchange)
            return False
        try:
            data = connection.sock.receive_now()
        except OSError:
            self.close(connection)
            return False
        if data is None or (data and connection.is_closing):
            self.turns.give_back(connection)
        elif data:
            return self._feed(connection, data)
        elif connection.is_closing or connection.is_idle:
            self.close(connection)
        elif connection.has_head:
            return self._admits(connection)
        else:
            self._refuse(connection, Refused("The head of the request has no end."))
        return False

    def _feed(self, connection: Connection, data: bytes) -> bool:
        was_idle, had_head = connection.is_idle, connection.has_head
        had_to_skip = connection.to_skip > 0
        try:
            connection.feed(data)
        except Refused as refused:
            self._refuse(connection, refused)
            return False
        if connection.has_head and not connection.may_be_complete_soon:
            return self._admits(connection)
        if connection.has_head and not had_head:
            connection.wait_for(limits.BODY_SECONDS)
        elif was_idle and not connection.is_idle:
            connection.wait_for(limits.HEAD_SECONDS)
        elif had_to_skip and not connection.to_skip:
            connection.wait_for(self._keepalive)
        self.turns.give_back(connection)
        return False

    def _admits(self, connection: Connection) -> bool:
        is_too_much = connection.is_extra and len(self.open) > self.limit
        if is_too_much and not connection.head.asks_for_liveness:
            self._overload.report()
            self.close(connection)
            return False
        return True

    def line_up(self, connection: Connection) -> None:
        """Let a request wait for a thread."""
        connection.wait_for(limits.PATIENCE_SECONDS)
        self.turns.line_up(connection)

    def hold(self, connection: Connection, exchange: Exchange) -> None:
        """Let a request wait, unless the client hangs up, until it is due; then it lines up."""
        try:
            # First, so that whoever takes the connection can end the wait.
            exchange.hold.start(partial(self._resume, connection, exchange))
        except Exception:
            logger.exception("A request cannot be held")
            self.close(connection)
            return
        self._hold_until_due(connection, exchange)

    def _hold_until_due(self, connection: Connection, exchange: Exchange) -> None:
        self.turns.hold(connection)
        if exchange.is_due and self.turns.take_held(connection, exchange):
            self.line_up(connection)

    def _resume(self, connection: Connection, exchange: Exchange) -> None:
        # In this order: a thread that has the connection meanwhile gives it back, and then looks here.
        exchange.is_due = True
        if self.turns.take_held(connection, exchange):
            self.line_up(connection)

    def _end_held(self, connection: Connection, exchange: Exchange) -> None:
        """End the wait of a client that has hung up; one that has only nothing more to say is answered."""
        if not connection.sock.has_hung_up() or not exchange.hold.cancel():
            self._hold_until_due(connection, exchange)
        elif exchange.hold.is_stream or connection.sock.is_gone():
            self.close(connection)
        else:
            self.line_up(connection)

    def end_request(self, connection: Connection, *, keeps: bool) -> bool:
        """Begin with the next request, which may be there already, or end the connection."""
        if not keeps or self.is_ending:
            self._linger(connection)
            return False
        ahead = connection.end_request()
        connection.wait_for(limits.HEAD_SECONDS if connection.to_skip else self._keepalive)
        if ahead:
            return self._feed(connection, ahead)
        self.turns.give_back(connection)
        return False

    def end_waiting(self, connection: Connection) -> bool:
        """End what has taken too long, if it still does."""
        if connection.exchange is not None and not connection.is_lined_up:
            # It has begun to be held since it was found to be late.
            self._hold_until_due(connection, connection.exchange)
        elif not self._is_due(connection):
            self.turns.give_back(connection)
        elif connection.is_lined_up:
            # Its turn comes, unless the client does not read the answer before.
            if connection.sock.is_writable():
                self.line_up(connection)
            else:
                self.close(connection)
        elif connection.is_closing or connection.is_idle:
            return self.end_idling(connection)
        elif connection.has_head:
            return self._admits(connection)
        else:
            late = Refused("The head did not arrive in time.", HTTPStatus.REQUEST_TIMEOUT)
            self._refuse(connection, late)
        return False

    def end_idling(self, connection: Connection) -> bool:
        """Close a connection, unless a request has just begun to arrive on an idle one."""
        if connection.is_idle and not connection.is_closing:
            with suppress(OSError):
                if data := connection.sock.receive_now():
                    return self._feed(connection, data)
        self.close(connection)
        return False

    def overdue(self) -> list[Connection]:
        """Take, in the main thread, those for which `end_waiting` has something to do; the oldest first."""
        found = [connection for connection in self.turns.everyone() if self._is_due(connection)]
        found.sort(key=lambda connection: connection.deadline)
        return [connection for connection in found if self.turns.take_this(connection)]

    def _is_due(self, connection: Connection) -> bool:
        now = time.monotonic()
        if self.is_ending and connection.is_idle and not connection.is_closing:
            # A new one may be about to bring its first request, which nobody else would answer.
            return now >= connection.since + limits.UNUSED_SECONDS
        return connection.deadline <= now

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        refusals.send(refused, connection.sock, connection.client)
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Close a connection once the client has got the answer, or soon."""
        connection.is_closing = True
        connection.wait_for(limits.LINGER_SECONDS)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(connection)
        else:
            self.read(connection)

    def close(self, connection: Connection) -> None:
        """Close a connection at once, and give up the request that is held, if one is."""
        exchange, connection.exchange = connection.exchange, None
        connection.close()
        self.open.discard(connection)
        if exchange is not None:
            exchange.hold.cancel()
            self._on_hang_up(exchange)
        self._on_close()
