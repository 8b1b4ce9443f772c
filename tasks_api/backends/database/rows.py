"""
Reading the columns of django-tasks-db's rows.

`task_result` is not used: it imports the task's module, and so fails for a task that was renamed or removed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.backends.base import Failure, State, StoredTask
from tasks_api.backends.database.prepared import SelectByKey, SelectByKeys
from tasks_api.timestamps import aware

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

select_row = SelectByKey(DBTaskResult, COLUMNS)
_select_states = SelectByKeys(
    DBTaskResult, ("id", "status", "run_after", "started_at", "finished_at")
)


def key_of(identifier: str) -> UUID | None:
    """Return the primary key for a task's id; None for a text that is no id in canonical form."""
    try:
        key = UUID(identifier)
    except ValueError:
        return None
    # Ids in upper case have been brought into this form; there are no others.
    return key if str(key) == identifier else None


def states_of(keys: Sequence[UUID]) -> dict[str, State]:
    """Return the states of these rows by task id, as far as they exist."""
    return {
        str(key): State(
            status=status,
            run_after=_deferred_until(run_after),
            started_at=aware(started_at),
            finished_at=aware(finished_at),
        )
        for key, status, run_after, started_at, finished_at in _select_states(keys)
    }


def _deferred_until(run_after: datetime) -> datetime | None:
    return None if run_after == get_date_max() else aware(run_after)


def stored_task(column: dict[str, Any]) -> StoredTask:
    """Convert the columns of a row to the terms of `django.tasks`."""
    status = column["status"]
    errors = []
    if status == TaskResultStatus.FAILED:
        errors.append(
            Failure(
                exception_class_path=column["exception_class_path"], traceback=column["traceback"]
            )
        )
    started_at = aware(column["started_at"])
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
        started_at=started_at,
        # The row has only one time for both, and so has the backend's own result.
        last_attempted_at=started_at,
        finished_at=aware(column["finished_at"]),
        worker_ids=column["worker_ids"],
        return_value=column["return_value"] if status == TaskResultStatus.SUCCESSFUL else None,
        errors=errors,
    )
