"""What ends a task from outside its function; the class docstring is the default message."""

import inspect


class TaskEnded(Exception):
    """The task was ended before its function returned."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((inspect.getdoc(type(self)) or "").split()))


class WorkerLost(TaskEnded):
    """The worker that ran the task went away before the task was finished."""


class TaskCancelled(TaskEnded):
    """The task was cancelled before a worker started it."""


class ResultNotStorable(TaskEnded):
    """The value that the task returned cannot be stored as JSON."""


class ResultTooLarge(ResultNotStorable):
    """The value that the task returned is larger than `MAX_RESULT_BYTES`."""


class TransactionLeftOpen(TaskEnded):
    """The task returned inside a database transaction; what it changed there was rolled back."""
