"""Telling a task to stop while it runs: its worker's parent looks for that."""

from typing import Any
from uuid import UUID

from django.db.models.functions import Coalesce
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

from tasks_api.backends.base import StoredTask
from tasks_api.backends.database.clock import now_to_write
from tasks_api.backends.database.rows import select_row, stored_task
from tasks_api.models import TaskRun, Worker
from tasks_api.problems import NotCancellable


def request_stop(key: UUID, *, using: str | None) -> StoredTask | None:
    """
    Note that a task is to stop, if it is running, and return its state; None if it is gone.

    A task for which that was noted before keeps the first time.

    Raises:
        NotCancellable: 409, it is run by a worker that would not look.

    """
    rows = DBTaskResult.objects.using(using)
    with exclusive_transaction(using):
        # Whoever ends the task, or puts it back for another attempt, holds this lock as well.
        locked = rows.select_for_update().filter(pk=key).values("status", "worker_ids").first()
        if locked is not None and locked["status"] == TaskResultStatus.RUNNING:
            if not _is_run_by_us(key, locked["worker_ids"], using=using):
                raise NotCancellable(
                    "The task is run by a worker that cannot be told to stop, "
                    "such as django-tasks-db's own `db_worker`."
                )
            _note(key, using=rows.db)
        row = select_row(key, using=rows.db)
    return None if row is None else stored_task(row)


def _is_run_by_us(key: UUID, worker_ids: list[Any], *, using: str | None) -> bool:
    last = worker_ids[-1] if worker_ids else None
    return Worker.objects.using(using).filter(pk=last, current_task=key).exists()


def _note(key: UUID, *, using: str) -> None:
    now = now_to_write(using)
    runs = TaskRun.objects.using(using)
    requested_at = Coalesce("cancel_requested_at", now)
    if not runs.filter(pk=key).update(cancel_requested_at=requested_at):
        runs.create(task_id=key, cancel_requested_at=now)
