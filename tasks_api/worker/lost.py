"""
Ends the tasks of workers that are gone: any worker may, and one alone does.

Never waits for a lock. A row that is locked is being written by somebody, perhaps by the very worker
that counts as lost; the next attempt sees what came of it.
"""

from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, cast
from uuid import UUID

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

from tasks_api.backends.database.clock import now_to_write
from tasks_api.conf import tasks_api_settings
from tasks_api.exceptions import WorkerLost
from tasks_api.models import Worker
from tasks_api.worker import journal, verdicts
from tasks_api.worker.task_row import TaskRow


def end_lost_worker(
    alias: str,
    worker_id: str,
    reason: str,
    *,
    announce: Callable[[str, UUID], object],
    unseen_since: datetime | None = None,
) -> bool:
    """
    Remove a lost worker's row and end its task in one commit; tell whether the row is gone.

    If not, it is to be tried again, or the worker was seen later than `unseen_since`, which a caller
    leaves out who knows that the process is gone. `announce` is called with the database's alias and
    the id of a task that has failed so.

    Raises:
        OperationalError: the worker's task is locked.

    """
    rows = Worker.objects.using(alias).filter(pk=worker_id)
    with exclusive_transaction(alias):
        worker = rows.select_for_update(skip_locked=True).first()
        if worker is not None and unseen_since not in {None, worker.last_seen_at}:
            return False
        task = None
        if worker is not None:
            task = _end_task(alias, worker, reason)
            worker.delete()
    if task is not None:
        journal.task_is_lost(task, worker_id, reason)
        if task.status == TaskResultStatus.FAILED:
            announce(alias, task.pk)
    return worker is not None or not rows.exists()


def _end_task(alias: str, worker: Worker, reason: str) -> TaskRow | None:
    """Fail the task, or put it back where that is safe, and leave alone what is not this worker's."""
    if worker.current_task is None:
        return None
    tasks = DBTaskResult.objects.using(alias).running().filter(pk=worker.current_task)
    # Not its arguments: they may be what cannot be read.
    columns = tasks.only("status", "task_path", "worker_ids", "started_at", "run_after")
    task = columns.select_for_update(nowait=True).first()
    if task is None or task.worker_ids[-1:] != [worker.pk]:
        return None
    if _may_run_again(task):
        task.status = TaskResultStatus.READY
        task.started_at = None
        task.save(update_fields=["status", "started_at"])
        return task
    message = f"{WorkerLost()} Worker {worker.pk} on {worker.hostname}: {reason}."
    verdict = verdicts.failed(WorkerLost(message))
    task.status = verdict.status
    task.finished_at = cast("Any", now_to_write(alias))
    task.exception_class_path = verdict.exception_class_path
    task.traceback = verdict.traceback
    task.save(update_fields=["status", "finished_at", "exception_class_path", "traceback"])
    return task


def _may_run_again(task: TaskRow) -> bool:
    patterns = tasks_api_settings().requeue_when_lost
    is_first_attempt = len(task.worker_ids) == 1
    return is_first_attempt and any(fnmatchcase(task.task_path, pattern) for pattern in patterns)
