"""The one database connection of a worker's thread, whatever a task has done to it."""

from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper

DATABASE_ERRORS = (DatabaseError, InterfaceError)

_PASSING_SQLSTATES = ("08", "40", "53", "55", "57", "58")
"""Connection lost, deadlock, out of resources, locked, shut down, I/O error (PostgreSQL)."""

_PSYCOPG_IDLE = 0


def keep_connection(alias: str) -> None:
    """
    Hold this process's connections open instead of borrowing them from a pool.

    A thread of a worker runs one statement after the other; borrowing and returning a connection
    each time would only cost. Call it before the first query.
    """
    configured = connections.settings[alias]
    options = {key: value for key, value in configured["OPTIONS"].items() if key != "pool"}
    connections.settings[alias] = {**configured, "OPTIONS": options, "CONN_MAX_AGE": None}
    discard(alias)


def discard(alias: str) -> None:
    """Close the thread's connection in whatever state it is; the next query opens a new one."""
    connection = connections[alias]
    # Inside an atomic block, Django would keep the connection until the block is left.
    connection.in_atomic_block = False
    with suppress(*DATABASE_ERRORS):
        connection.close()
    del connections[alias]


def discard_all() -> None:
    """Close all of the thread's connections in whatever state they are."""
    for connection in connections.all(initialized_only=True):
        discard(connection.alias)


def discard_open_transactions() -> bool:
    """
    Close the connections that a task left in a transaction; tell whether there were any.

    A connection whose autocommit is off goes as well, though it alone is no open transaction.
    """
    found = False
    for connection in connections.all(initialized_only=True):
        in_transaction = _is_in_transaction(connection)
        if in_transaction or not connection.autocommit:
            found = found or in_transaction
            if connection.connection is not None or connection.in_atomic_block:
                discard(connection.alias)
    return found


def close_old_connections(kept: str) -> None:
    """Treat the other databases' connections as Django does after a request."""
    reset_queries()
    for connection in connections.all(initialized_only=True):
        if connection.alias != kept:
            connection.close_if_unusable_or_obsolete()


def is_passing(error: Exception) -> bool:
    """Tell whether a statement that failed so may succeed later, unchanged."""
    if isinstance(error, InterfaceError):
        return True
    if type(error).__name__ not in {"OperationalError", "InternalError"}:
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(_PASSING_SQLSTATES)


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.in_atomic_block:
        return True
    if connection.connection is None:
        return False
    if connection.vendor == "postgresql":
        return bool(connection.connection.info.transaction_status != _PSYCOPG_IDLE)
    return bool(getattr(connection.connection, "in_transaction", False))
