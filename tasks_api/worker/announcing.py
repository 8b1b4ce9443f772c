"""Sends `task_finished` once the end of a task is stored: no receiver can change it any more."""

import logging
import os
import threading
from uuid import UUID

from django.db import connections
from django.tasks.signals import task_finished
from django_tasks_db.models import DBTaskResult

from tasks_api.worker import verdicts
from tasks_api.worker.forked import end_copy_of
from tasks_api.worker.task_row import TaskRow

logger = logging.getLogger("tasks_api.worker")


def send_task_finished(task: TaskRow) -> None:
    """Send the signal, and log what a receiver raises, or the import of the task's code."""
    pid = os.getpid()
    try:
        try:
            result = task.task_result
            task_finished.send(sender=type(result.task.get_backend()), task_result=result)
        finally:
            end_copy_of(pid)
    except BaseException as error:
        _log_failure(task.pk, error)


def send_task_finished_of(alias: str, task_id: UUID) -> None:
    """Load a task and send the signal, from a thread that does nothing else."""
    try:
        send_task_finished(DBTaskResult.objects.using(alias).get(pk=task_id))
    except Exception as error:
        _log_failure(task_id, error)
    finally:
        connections.close_all()


def announce(alias: str, task_id: UUID) -> threading.Thread:
    """Send the signal from a thread of its own, so that no receiver delays the caller."""
    thread = threading.Thread(target=send_task_finished_of, args=(alias, task_id), daemon=True)
    thread.start()
    return thread


def _log_failure(task_id: UUID, error: BaseException) -> None:
    # Cut to a size, which the traceback of a logger would not be.
    text = verdicts.failed(error).traceback
    logger.warning(
        "Task %s is finished, but not all receivers of task_finished were called: %s",
        task_id,
        text,
    )
