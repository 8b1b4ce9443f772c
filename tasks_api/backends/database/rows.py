"""
Reading the columns of django-tasks-db's rows.

`task_result` is not used: it imports the task's module, and so fails for a task that was renamed or removed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.backends.base import Failure, State, StoredTask
from tasks_api.backends.database.limits import limits_in
from tasks_api.backends.database.prepared import Beside, SelectByKey, SelectByKeys
from tasks_api.models import TaskRun
from tasks_api.timestamps import aware, parse_timestamp

COLUMNS = (
    "id",
    "task_path",
    "status",
    "args_kwargs",
    "queue_name",
    "priority",
    "run_after",
    "backend_name",
    "enqueued_at",
    "started_at",
    "finished_at",
    "worker_ids",
    "return_value",
    "exception_class_path",
    "traceback",
)

RUN = Beside(
    TaskRun,
    {
        "first_started_at": "started_at",
        "earlier_errors": "errors",
        "cancel_requested_at": "cancel_requested_at",
    },
)

select_row = SelectByKey(DBTaskResult, COLUMNS, RUN)
_select_rows = SelectByKeys(DBTaskResult, COLUMNS, RUN)
_select_states = SelectByKeys(
    DBTaskResult,
    ("id", "status", "run_after", "started_at", "finished_at"),
    Beside(TaskRun, {"cancel_requested_at": "cancel_requested_at"}),
)


def key_of(identifier: str) -> UUID | None:
    """Return the primary key for a task's id; None for a text that is no id in canonical form."""
    try:
        key = UUID(identifier)
    except ValueError:
        return None
    # Ids in upper case have been brought into this form; there are no others.
    return key if str(key) == identifier else None


def rows_of(keys: Sequence[UUID]) -> Iterator[dict[str, Any]]:
    """Yield the columns of these rows, as far as they exist, in no order."""
    for values in _select_rows(keys):
        yield dict(zip(_select_rows.columns, values, strict=True))


def states_of(keys: Sequence[UUID]) -> dict[str, State]:
    """Return the states of these rows by task id, as far as they exist."""
    return {
        str(key): State(
            status=status,
            run_after=_deferred_until(run_after),
            started_at=aware(started_at),
            finished_at=aware(finished_at),
            cancel_requested_at=aware(cancel_requested_at),
        )
        for (
            key,
            status,
            run_after,
            started_at,
            finished_at,
            cancel_requested_at,
        ) in _select_states(keys)
    }


def _deferred_until(run_after: datetime) -> datetime | None:
    return None if run_after == get_date_max() else aware(run_after)


def stored_task(column: dict[str, Any]) -> StoredTask:
    """Convert the columns of a row to the terms of `django.tasks`."""
    status = column["status"]
    last_started_at = aware(column["started_at"])
    return StoredTask(
        id=str(column["id"]),
        task_path=column["task_path"],
        status=status,
        args=column["args_kwargs"]["args"],
        kwargs=column["args_kwargs"]["kwargs"],
        queue_name=column["queue_name"],
        priority=column["priority"],
        run_after=_deferred_until(column["run_after"]),
        backend=column["backend_name"],
        enqueued_at=aware(column["enqueued_at"]),
        started_at=aware(column["first_started_at"]) or last_started_at,
        last_attempted_at=last_started_at,
        finished_at=aware(column["finished_at"]),
        worker_ids=column["worker_ids"],
        return_value=column["return_value"] if status == TaskResultStatus.SUCCESSFUL else None,
        errors=_errors(column),
        limits=limits_in(column["args_kwargs"]),
        cancel_requested_at=aware(column["cancel_requested_at"]),
    )


def _errors(column: dict[str, Any]) -> list[Failure]:
    """Return a failure for each attempt that was followed by another, and that of the row itself."""
    errors = [
        Failure(
            exception_class_path=one["exception_class_path"],
            traceback=one["traceback"],
            attempt=one["attempt"],
            failed_at=parse_timestamp(one["failed_at"]),
            worker_id=one["worker_id"],
        )
        for one in column["earlier_errors"] or ()
    ]
    if column["status"] == TaskResultStatus.FAILED:
        attempts = len(column["worker_ids"])
        # If the last attempt has failed already, the task was ended while it waited for the next one.
        has_failed = (errors[-1].attempt or 0 if errors else 0) >= attempts
        errors.append(
            Failure(
                exception_class_path=column["exception_class_path"],
                traceback=column["traceback"],
                attempt=None if has_failed else attempts,
                failed_at=None if has_failed else aware(column["finished_at"]),
                worker_id=None if has_failed else column["worker_ids"][-1],
            )
        )
    return errors
