"""The connections of this process: what is done to new ones, and to those that are of no use any more."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def bound_new_connection(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Let `database_answers_within` bound a new connection; a receiver of `connection_created`."""
    if psycopg_connection := _of_psycopg(connection):
        from tasks_api.backends.database.bounded_connection import bound  # noqa: PLC0415

        bound(psycopg_connection)


def _of_psycopg(connection: BaseDatabaseWrapper) -> Any:
    """Return the open connection of psycopg 3, or None: psycopg 2 has no such `wait`."""
    driver = connection.connection
    return driver if connection.vendor == "postgresql" and hasattr(driver, "pgconn") else None
