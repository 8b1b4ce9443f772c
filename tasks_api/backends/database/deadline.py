"""How long the database may take to answer callers that cannot wait indefinitely."""

from contextvars import ContextVar

ANSWER_SECONDS = 10.0
"""For a request: no statement of one takes as long while the database is well."""

_seconds: ContextVar[float | None] = ContextVar("database_answers_within", default=None)


class database_answers_within:  # noqa: N801 -- used like a function
    """
    Bound each wait for the database in this block, on our side: a stopped server ends nothing.

    A connection whose server does not answer in time is closed, and `OperationalError` is raised. What
    runs outside of such a block, such as `migrate` or a task, waits for as long as its statements
    take. Only PostgreSQL through psycopg is bounded; SQLite has its own `timeout`.
    """

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self._allowed = seconds

    def __enter__(self) -> None:
        self._token = _seconds.set(self._allowed)

    def __exit__(self, *_: object) -> None:
        _seconds.reset(self._token)


def allowed_seconds() -> float | None:
    """Return how many seconds the database has for its next answer; None if there is no limit."""
    return _seconds.get()
