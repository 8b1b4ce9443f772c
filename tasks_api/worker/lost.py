"""
Ends the tasks of workers that are gone: any worker may, and one alone does.

Never waits for a lock. A row that is locked is being written by somebody, perhaps by the very worker
that was thought dead; the next attempt sees what came of it.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from uuid import UUID

from django.db import connections
from django.tasks import TaskResultStatus
from django.tasks.signals import task_finished
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

from tasks_api.conf import tasks_api_settings
from tasks_api.exceptions import WorkerLost
from tasks_api.models import Worker
from tasks_api.worker import journal, outcomes
from tasks_api.worker.task_row import TaskRow

logger = logging.getLogger("tasks_api.worker")


@dataclass(frozen=True, slots=True)
class Burial:
    """A dead worker has no row any more; `task` is what it left running, as it is now."""

    task: TaskRow | None = None


def bury(
    alias: str, worker_id: str, reason: str, *, unseen_since: datetime | None = None
) -> Burial | None:
    """
    Remove a dead worker's row and end its task in one commit.

    Returns None where that has to be tried again, or where the worker was seen later than
    `unseen_since`, which a caller leaves out who knows that the process is gone.

    Raises:
        OperationalError: the worker's task is locked.

    """
    rows = Worker.objects.using(alias).filter(pk=worker_id)
    with exclusive_transaction(alias):
        worker = rows.select_for_update(skip_locked=True).first()
        if worker is not None and unseen_since not in {None, worker.last_seen_at}:
            return None
        task = None
        if worker is not None:
            task = _end_task(alias, worker, reason)
            worker.delete()
    if task is not None:
        journal.task_is_lost(task, worker_id, reason)
    if worker is not None or not rows.exists():
        return Burial(task)
    return None


def announce(alias: str, task_id: UUID) -> threading.Thread:
    """Send `task_finished` from a thread of its own, so that no receiver delays a heartbeat."""
    thread = threading.Thread(target=_send_task_finished, args=(alias, task_id), daemon=True)
    thread.start()
    return thread


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
    outcome = outcomes.failed(WorkerLost(message))
    task.status = TaskResultStatus.FAILED
    task.finished_at = timezone.now()
    task.exception_class_path = outcome.exception_class_path
    task.traceback = outcome.traceback
    task.save(update_fields=["status", "finished_at", "exception_class_path", "traceback"])
    return task


def _may_run_again(task: TaskRow) -> bool:
    patterns = tasks_api_settings().requeue_when_lost
    is_first_attempt = len(task.worker_ids) == 1
    return is_first_attempt and any(fnmatchcase(task.task_path, pattern) for pattern in patterns)


def _send_task_finished(alias: str, task_id: UUID) -> None:
    try:
        task = DBTaskResult.objects.using(alias).get(pk=task_id)
        task_finished.send(type(task.task.get_backend()), task_result=task.task_result)
    except BaseException as error:
        text = outcomes.failed(error).traceback
        logger.warning("No task_finished for the lost task %s: %s", task_id, text)
    finally:
        connections.close_all()
