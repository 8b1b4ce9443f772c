"""Rows of tasks, as tests put them into the store without enqueueing."""

from typing import Any

from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.ids import new_task_id


def task_row(**columns: Any) -> DBTaskResult:
    """Give the row of a task that `enqueue()` might have made; columns override it."""
    return DBTaskResult(
        **{
            "id": new_task_id(),
            "args_kwargs": {"args": [], "kwargs": {}},
            "task_path": "tests.tasks.echo",
            "queue_name": "default",
            "backend_name": "default",
            "run_after": get_date_max(),
            **columns,
        }
    )
