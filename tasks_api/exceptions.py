"""
The reasons why a task failed although its function raised nothing.

The docstring of a `TaskEnded` is its default message.
"""

import inspect


class TaskEnded(BaseException):
    """
    The task was ended before its function returned.

    Not an `Exception`: a task that goes on after whatever its parts raise still ends when it is told to.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((inspect.getdoc(type(self)) or "").split()))

    @classmethod
    def class_path(cls) -> str:
        """Return the `exception_class_path` of a task that was ended for this reason."""
        return f"{cls.__module__}.{cls.__qualname__}"


class WorkerLost(TaskEnded):
    """The worker that ran the task went away before the task was finished."""


class TaskCancelled(TaskEnded):
    """The task was cancelled."""


class TaskTimedOut(TaskEnded):
    """The attempt took longer than its time limit."""


class TaskExpired(TaskEnded):
    """No worker had begun the task when it expired."""


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
