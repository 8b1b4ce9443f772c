"""The JSON of a task, with all its members."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from tasks_api.backends import StoredTask, limits_apply_to
from tasks_api.backends.database.limits import policy_for
from tasks_api.clients.caller import Caller
from tasks_api.conf import tasks_api_settings
from tasks_api.models import Scope
from tasks_api.timestamps import timestamp

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class TaskErrorRepresentation(TypedDict):
    """The exception that made an attempt fail, or that ended the task while it waited."""

    attempt: Annotated[
        int | None,
        Field(description="Which attempt, from 1; null if the task was ended while it waited."),
    ]
    failed_at: Annotated[Timestamp | None, Field(description="Null likewise.")]
    worker_id: Annotated[str | None, Field(description="Who ran the attempt; null likewise.")]
    exception_class_path: Annotated[str, Field(examples=["builtins.ValueError"])]
    traceback: Annotated[
        str, Field(description="Empty if the server does not show tracebacks to the client.")
    ]


class TaskRepresentation(TypedDict):
    """One enqueued execution of a task type."""

    id: str
    url: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    task: Annotated[
        str, Field(description="The name of its task type.", examples=["service.tasks.say_hello"])
    ]
    status: Literal["READY", "RUNNING", "SUCCESSFUL", "FAILED"]
    is_finished: bool
    outcome: Annotated[
        Literal["succeeded", "failed", "cancelled", "timed_out", "expired", "lost"] | None,
        Field(
            description=(
                "What became of it; null until it is finished, and for a client without the scope `read`."
            )
        ),
    ]
    args: list[Any]
    kwargs: dict[str, Any]
    queue_name: str
    priority: int
    run_after: Annotated[
        Timestamp | None,
        Field(description="The earliest time at which the task, or its next attempt, may run."),
    ]
    expires_at: Annotated[
        Timestamp | None,
        Field(description="No attempt begins from then on: the task is ended instead."),
    ]
    backend: str
    enqueued_at: Timestamp | None
    started_at: Annotated[Timestamp | None, Field(description="When the first attempt began.")]
    last_attempted_at: Annotated[
        Timestamp | None, Field(description="When the latest attempt began.")
    ]
    finished_at: Timestamp | None
    cancel_requested_at: Annotated[
        Timestamp | None, Field(description="When it was told to stop while it ran.")
    ]
    attempts: Annotated[int, Field(description="How many attempts have begun.")]
    max_attempts: Annotated[int, Field(description="How many there may be.")]
    timeout_seconds: Annotated[
        float | None,
        Field(description="How long an attempt may take; null: as long as it takes."),
    ]
    worker_ids: list[str]
    return_value: Annotated[
        Any,
        Field(
            description="Null unless the task is SUCCESSFUL, and for a client without the scope `read`."
        ),
    ]
    errors: Annotated[
        list[TaskErrorRepresentation],
        Field(
            description=(
                "One for each attempt that failed, oldest first, also while the task waits for the next "
                "one; empty for a client without that scope."
            )
        ),
    ]


class TaskBatchRepresentation(TypedDict):
    """The tasks of a batch, in the order of the request."""

    results: list[TaskRepresentation]


class TaskListRepresentation(TypedDict):
    """One page of a list of tasks, newest first."""

    next: Annotated[
        str | None, Field(description="The URL of the page of older tasks; null at the end.")
    ]
    previous: Annotated[
        str | None, Field(description="The URL of the page of newer tasks; null at the start.")
    ]
    results: list[TaskRepresentation]


def represent(
    task: StoredTask, reader: Caller, *, url: str, members: Mapping[str, Any]
) -> TaskRepresentation:
    """
    Build the JSON object of a task as a client may see it, whatever operation answers with it.

    `url` is that of the task, and `members` are the additional members of apps.
    """
    with_results, with_tracebacks = sees_results(reader), _sees_tracebacks(reader)
    # A token is in a browser, which need not know what a task was given.
    with_arguments = reader.only_task is None
    max_attempts, timeout_seconds = limits_of(task)
    own: TaskRepresentation = {
        "id": task.id,
        "url": url,
        "task": task.task_path,
        "status": task.status,  # type: ignore[typeddict-item]
        "is_finished": task.is_finished,
        # How a task failed is what `errors` says.
        "outcome": task.outcome if with_results else None,
        "args": task.args if with_arguments else [],
        "kwargs": task.kwargs if with_arguments else {},
        "queue_name": task.queue_name,
        "priority": task.priority,
        "run_after": _timestamp(task.run_after),
        "expires_at": _timestamp(task.limits.expires_at),
        "backend": task.backend,
        "enqueued_at": _timestamp(task.enqueued_at),
        "started_at": _timestamp(task.started_at),
        "last_attempted_at": _timestamp(task.last_attempted_at),
        "finished_at": _timestamp(task.finished_at),
        "cancel_requested_at": _timestamp(task.cancel_requested_at),
        "attempts": len(task.worker_ids),
        "max_attempts": max_attempts,
        "timeout_seconds": timeout_seconds,
        "worker_ids": task.worker_ids,
        "return_value": task.return_value if with_results else None,
        "errors": [
            {
                "attempt": error.attempt,
                "failed_at": _timestamp(error.failed_at),
                "worker_id": error.worker_id,
                "exception_class_path": error.exception_class_path,
                "traceback": error.traceback if with_tracebacks else "",
            }
            for error in (task.errors if with_results else ())
        ],
    }
    return {**own, **members} if members else own  # type: ignore[typeddict-item]


def limits_of(task: StoredTask) -> tuple[int, float | None]:
    """Return how many attempts there may be, and how many seconds each may take."""
    if not limits_apply_to(task.backend):
        return 1, None
    policy = policy_for(task.task_path, task.limits)
    return policy.max_attempts, policy.timeout_seconds


def sees_results(reader: Caller) -> bool:
    """Return whether a client may see what has become of tasks, beyond their status and its times."""
    return reader.may(Scope.READ)


def _sees_tracebacks(reader: Caller) -> bool:
    """Return whether a client that may read a task may see its tracebacks."""
    if reader.only_task is not None:
        return False
    match tasks_api_settings().tracebacks:
        case "owner":
            return True
        case "admin":
            return reader.is_admin
        case _:
            return False


def _timestamp(time: datetime | None) -> str | None:
    return None if time is None else timestamp(time)
