"""psycopg's connection, with a deadline for the server's answers; the only module to import psycopg."""

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import capabilities, errors

from tasks_api.backends.database.deadline import allowed_seconds

CANCEL_SECONDS = 1.0
INTERVAL_SECONDS = 0.1
"""psycopg's own: how often a wait looks for signals."""

SUPPORTED = hasattr(errors, "_WaitTimeout")
"""Whether this psycopg can end a wait: since 3.3.6."""


class BoundedConnection(psycopg.Connection[Any]):
    """
    Closes itself when the server does not answer within `database_answers_within`.

    A deadline on our side: a server that is stopped runs no `statement_timeout`, and its kernel still
    acknowledges what it is sent, as a proxy does for a server that is gone.
    """

    def wait(
        self, gen: Any, interval: float = INTERVAL_SECONDS, timeout: float | None = None
    ) -> Any:
        seconds = allowed_seconds()
        if seconds is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, seconds)
        except errors._WaitTimeout:
            self._give_up()
            raise psycopg.OperationalError(
                f"the database has not answered for {seconds:g} seconds; the connection is closed"
            ) from None

    def _give_up(self) -> None:
        """Close the connection; a server that is only slow is told to stop what it does for it."""
        # Without this feature, psycopg's way to cancel may wait for ever itself.
        if capabilities.has_cancel_safe():
            with suppress(psycopg.Error, OSError):
                self.cancel_safe(timeout=CANCEL_SECONDS)
        # Not `close()`, which would give it back to a pool that closes so.
        self.pgconn.finish()


def bound(connection: psycopg.Connection[Any]) -> None:
    """Make a connection that somebody else has opened one that can be bounded."""
    if SUPPORTED and type(connection) is psycopg.Connection:
        connection.__class__ = BoundedConnection


def is_closed_by_server(connection: psycopg.Connection[Any]) -> bool:
    """
    Tell, without asking the server, whether it has closed this idle connection.

    A server that is stopped or restarted says so to all connections, which learn of it when they read.
    """
    pgconn = connection.pgconn
    try:
        # The first may find the server's last words, the second finds that nothing follows. Neither waits.
        pgconn.consume_input()
        pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return bool(pgconn.status != psycopg.pq.ConnStatus.OK)
