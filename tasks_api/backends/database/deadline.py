"""How long the database may take to answer callers that cannot wait indefinitely."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ANSWER_SECONDS = 10.0
"""For a request: no statement of one takes as long while the database is well."""

_seconds: ContextVar[float | None] = ContextVar("database_answers_within", default=None)


@contextmanager
def database_answers_within(seconds: float = ANSWER_SECONDS) -> Iterator[None]:
    """
    Bound each wait for the database in this block, on our side: a stopped server ends nothing.

    A connection whose server does not answer in time is closed, and `OperationalError` is raised. What
    runs outside of such a block, such as `migrate` or a task, waits for as long as its statements
    take. Only PostgreSQL through psycopg is bounded; SQLite has its own `timeout`.
    """
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


def allowed_seconds() -> float | None:
    """Return how many seconds the database has for its next answer; None if there is no limit."""
    return _seconds.get()
