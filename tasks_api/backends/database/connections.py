"""The connections of this process: what is done to new ones, and to those that are no longer of use."""

import math
import sqlite3
import time
from contextlib import suppress
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tasks_api.backends.database.failures import makes_connections_useless

JUST_OPENED_SECONDS = 1.0

_renewed_at: dict[str, float] = {}
"""Of each database without a pool: connections that were opened before are of no use."""


def make_bounded(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Have `database_answers_within` bound a new connection; a receiver of `connection_created`."""
    if (opened := _opened_by_psycopg(connection)) is not None:
        # Not without psycopg, which SQLite does not need.
        from tasks_api.backends.database import bounded_connection  # noqa: PLC0415

        bounded_connection.make_bounded(opened)


def close_useless_connections(**kwargs: Any) -> None:
    """
    Close those of the thread that the server has closed, or that are out of date.

    A receiver of `request_started`: it asks the server nothing. Pools hand out no such connections.
    """
    for connection in connections.all(initialized_only=True):
        opened = _opened_by_psycopg(connection)
        if opened is None or connection.in_atomic_block or not connection.autocommit:
            continue
        from tasks_api.backends.database import bounded_connection  # noqa: PLC0415

        # A project's own class does not say when it was opened.
        opened_at = getattr(opened, "opened_at", math.inf)
        is_out_of_date = opened_at <= _renewed_at.get(connection.alias, -math.inf)
        if is_out_of_date or bounded_connection.is_closed_by_server(opened):
            connection.close()


def renew_connections(error: BaseException) -> None:
    """After an error that other connections would raise as well, use none of those that are open now."""
    if not makes_connections_useless(error):
        return
    for connection in connections.all(initialized_only=True):
        # As Django has noted; an error does not tell which database it is of.
        if connection.errors_occurred:
            _renew(connection)


def interrupt(connection: BaseDatabaseWrapper) -> None:
    """Have the statement that a connection, perhaps another thread's, waits for end with an error."""
    if (opened := _opened_by_psycopg(connection)) is not None:
        from tasks_api.backends.database import bounded_connection  # noqa: PLC0415

        bounded_connection.cancel_statement(opened)
    elif isinstance(opened := connection.connection, sqlite3.Connection):
        # Unless its thread has closed it meanwhile.
        with suppress(sqlite3.ProgrammingError):
            opened.interrupt()


def _renew(connection: BaseDatabaseWrapper) -> None:
    pool = getattr(connection, "pool", None)
    opened = _opened_by_psycopg(connection)
    # What was just opened tells how the server is now: others would not be better.
    opened_at = getattr(opened, "opened_at", -math.inf)
    is_news = opened_at < time.monotonic() - JUST_OPENED_SECONDS
    if pool is not None and is_news:
        pool.drain()
    elif is_news:
        _renewed_at[connection.alias] = time.monotonic()
    if opened is not None and not connection.in_atomic_block:
        # The driver's: Django, or its pool, then finds it closed.
        opened.pgconn.finish()


def _opened_by_psycopg(connection: BaseDatabaseWrapper) -> Any:
    """Return the open connection of psycopg 3, or None; psycopg 2 cannot be bounded."""
    opened = connection.connection
    return opened if connection.vendor == "postgresql" and hasattr(opened, "pgconn") else None
