"""The time of the database's clock, which all machines share."""

from datetime import UTC, datetime

from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

# In seconds since 1970: independent of the connection's time zone and of `USE_TZ`.
_QUESTIONS = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())",
    "sqlite": "SELECT (JULIANDAY('now') - 2440587.5) * 86400",
}


def knows_clock_of(alias: str) -> bool:
    """Return whether the clock of this kind of database can be read."""
    return connections[alias].vendor in _QUESTIONS


def database_now(alias: str) -> datetime:
    """Return a database's time in UTC; for other kinds of databases, the time of this process."""
    if not knows_clock_of(alias):
        return datetime.now(UTC)
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(_QUESTIONS[connection.vendor])
        (seconds,) = cursor.fetchone()
    return datetime.fromtimestamp(float(seconds), UTC)


def now_to_write(alias: str) -> Now | datetime:
    """
    Return the current time to write to a task's row when the task starts or ends.

    On PostgreSQL, it is the time of the server. SQLite has only the clock of this machine, and would
    truncate the time to milliseconds; on other databases, django-tasks-db's worker writes the time of
    the process.
    """
    return Now() if connections[alias].vendor == "postgresql" else timezone.now()
