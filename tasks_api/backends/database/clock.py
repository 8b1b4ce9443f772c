"""What time it is by the database's clock, which all machines share."""

from datetime import UTC, datetime

from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

# In seconds since 1970: no connection's time zone, nor `USE_TZ`, has a say in it.
_QUESTIONS = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())",
    "sqlite": "SELECT (JULIANDAY('now') - 2440587.5) * 86400",
}


def knows_clock_of(alias: str) -> bool:
    """Tell whether it is a kind of database whose clock can be asked."""
    return connections[alias].vendor in _QUESTIONS


def database_now(alias: str) -> datetime:
    """Ask a database for the time, in UTC; another kind of database leaves that to the process."""
    if not knows_clock_of(alias):
        return datetime.now(UTC)
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(_QUESTIONS[connection.vendor])
        (seconds,) = cursor.fetchone()
    return datetime.fromtimestamp(float(seconds), UTC)


def now_to_write(alias: str) -> Now | datetime:
    """
    Return what a task's row is told as the present moment by whoever starts or ends the task.

    On PostgreSQL that is the server's clock. SQLite has that of its machine alone and would cut it to
    milliseconds; on other databases django-tasks-db's worker writes that of the process.
    """
    return Now() if connections[alias].vendor == "postgresql" else timezone.now()
