"""What time it is by the database's clock, which all machines share."""

from datetime import UTC, datetime

from django.db import connections

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
