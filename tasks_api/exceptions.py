"""
The reasons why a task failed although its function raised nothing.

The docstring of a `TaskEnded` is its default message.
"""

import inspect


class TaskEnded(Exception):
    """The task was ended before its function returned."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((inspect.getdoc(type(self)) or "").split()))

    @classmethod
    def class_path(cls) -> str:
        """Return the `exception_class_path` of a task that was ended for this reason."""
        return f"{cls.__module__}.{cls.__qualname__}"


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


class ArgumentsDoNotFit(ValueError):
    """A function that is `@typed` was enqueued with arguments that do not fit its hints."""


class ReturnValueDoesNotFit(ValueError):
    """A function that is `@typed` returned what does not fit its hint, or what has no JSON."""
