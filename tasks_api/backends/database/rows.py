"""
Rows of django-tasks-db, read by their columns.

Never by `task_result`: that imports the task's module, and so fails on a task that was renamed or removed.
"""

from typing import Any
from uuid import UUID

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.backends.base import Failure, StoredTask
from tasks_api.backends.database.prepared import SelectByKey
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


def key_of(identifier: str) -> UUID | None:
    """Read the id of a task; None for what is no id, or is written in another way."""
    try:
        key = UUID(identifier)
    except ValueError:
        return None
    # A task has one URL: no other spelling of its id.
    return key if str(key) == identifier else None


def stored_task(column: dict[str, Any]) -> StoredTask:
    """Put the columns of a row into the terms of `django.tasks`."""
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
        run_after=None if column["run_after"] == get_date_max() else aware(column["run_after"]),
        backend=column["backend_name"],
        enqueued_at=aware(column["enqueued_at"]),
        started_at=started_at,
        # The row keeps one moment for both, as the backend's own result does.
        last_attempted_at=started_at,
        finished_at=aware(column["finished_at"]),
        worker_ids=column["worker_ids"],
        return_value=column["return_value"] if status == TaskResultStatus.SUCCESSFUL else None,
        errors=errors,
    )
