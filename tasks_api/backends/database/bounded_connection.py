"""psycopg's connection with a deadline for the server's answers; imported only for PostgreSQL."""

import time
from contextlib import suppress
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connections
from psycopg import capabilities, errors

from tasks_api.backends.database.deadline import allowed_seconds
from tasks_api.exceptions import TaskEnded

CANCEL_SECONDS = 1.0
INTERVAL_SECONDS = 0.1
"""psycopg's own: how often a wait looks for signals."""

SUPPORTED = hasattr(errors, "_WaitTimeout")
"""Whether this psycopg can end a wait: since 3.3.6."""


class BoundedConnection(psycopg.Connection[Any]):
    """
    Closes itself when the server does not answer within `database_answers_within`, or who waits is to stop.

    A deadline on our side: a server that is stopped runs no `statement_timeout`, and its kernel still
    acknowledges what it is sent, as a proxy does for a server that is gone.
    """

    opened_at: float
    """By the monotonic clock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opened_at = time.monotonic()

    def wait(
        self, gen: Any, interval: float = INTERVAL_SECONDS, timeout: float | None = None
    ) -> Any:
        try:
            return self._wait_within_bounds(gen, interval, timeout)
        except TaskEnded:
            # The task that waits was told to stop: what the server does and sends is nobody's any more.
            self._give_up()
            self._leave_django()
            raise

    def _wait_within_bounds(self, gen: Any, interval: float, timeout: float | None) -> Any:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        seconds = allowed_seconds()
        if seconds is None or not SUPPORTED:
            return super().wait(gen, interval)
        try:
            return super().wait(gen, interval, seconds)
        except errors._WaitTimeout:
            self._give_up()
            raise psycopg.OperationalError(
                f"the database has not answered for {seconds:g} seconds; the connection is closed"
            ) from None

    def _give_up(self) -> None:
        """Close the connection; a server that is only slow is told to stop what it does for it."""
        cancel_statement(self)
        # Not `close()`, which may give it back to a pool.
        self.pgconn.finish()

    def _leave_django(self) -> None:
        """Have what the task does in its `finally` blocks get a connection that works."""
        for wrapper in connections.all(initialized_only=True):
            if wrapper.connection is self:
                with suppress(DatabaseError, InterfaceError):
                    wrapper.close()


def cancel_statement(connection: psycopg.Connection[Any]) -> None:
    """Tell the server to stop what it does for a connection, perhaps another thread's, as far as that is safe."""
    # Without this feature, psycopg's way to cancel may wait for ever itself.
    if capabilities.has_cancel_safe():
        with suppress(psycopg.Error, OSError):
            connection.cancel_safe(timeout=CANCEL_SECONDS)


def make_bounded(connection: psycopg.Connection[Any]) -> None:
    """Make an open connection a bounded one, unless it is of a class that the project has chosen."""
    if type(connection) is psycopg.Connection:
        connection.__class__ = BoundedConnection
        connection.opened_at = time.monotonic()  # type: ignore[attr-defined]


def is_closed_by_server(connection: psycopg.Connection[Any]) -> bool:
    """
    Tell, without asking the server, whether it has closed this idle connection.

    A server that is stopped or restarted says so on all connections, to those who read from them.
    """
    pgconn = connection.pgconn
    try:
        # Neither waits. The first may find the server's last words, the second that nothing follows.
        pgconn.consume_input()
        pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return bool(pgconn.status != psycopg.pq.ConnStatus.OK)


def refuse_closed(connection: psycopg.Connection[Any]) -> None:
    """
    Have a pool hand out no connection that the server has closed: psycopg_pool's `check`.

    It asks the server nothing. When there is one such connection, the others are renewed as well.

    Raises:
        psycopg.OperationalError: the server has closed this one.

    """
    if is_closed_by_server(connection):
        pool: Any = connection._pool
        connection.pgconn.finish()
        pool.drain()
        raise psycopg.OperationalError("the server has closed the connection")
