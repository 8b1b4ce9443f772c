"""One log line for each transition of a task."""

import logging

from django.tasks import TaskResultStatus
from django.tasks.signals import log_task_started, task_finished, task_started

from tasks_api.exceptions import TaskCancelled, TaskTimedOut
from tasks_api.results.cancelling import log_task_finished
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict

logger = logging.getLogger("tasks_api.worker")


def replace_lines_of_receivers() -> None:
    """
    Silence the lines that receivers log for the same transitions, without worker or duration.

    Django's line for a failed task carries the whole exception as well, whatever the size of its text.
    """
    task_started.disconnect(log_task_started)
    task_finished.disconnect(log_task_finished)


def task_is_running(task: TaskRow, worker_id: str) -> None:
    logger.info(
        "Task %s %s RUNNING worker_id=%s attempt=%d",
        task.pk,
        task.task_path,
        worker_id,
        len(task.worker_ids),
        extra=_members(task, worker_id),
    )


def task_is_finished(task: TaskRow, worker_id: str, duration: float) -> None:
    is_cancelled = task.exception_class_path == TaskCancelled.class_path()
    has_failed = task.status == TaskResultStatus.FAILED and not is_cancelled
    logger.log(
        logging.ERROR if has_failed else logging.INFO,
        "Task %s %s %s worker_id=%s duration=%.3f%s",
        task.pk,
        task.task_path,
        f"{task.status} (cancelled)" if is_cancelled else task.status,
        worker_id,
        duration,
        f"\n{task.traceback}" if has_failed else "",
        extra={**_members(task, worker_id), "duration_seconds": round(duration, 6)},
    )


def task_is_tried_again(task: TaskRow, worker_id: str, verdict: Verdict, pause: float) -> None:
    logger.warning(
        "Task %s %s %s worker_id=%s attempt=%d failed and is followed by another in %.1f seconds\n%s",
        task.pk,
        task.task_path,
        task.status,
        worker_id,
        len(task.worker_ids),
        pause,
        verdict.traceback,
        extra={**_members(task, worker_id), "attempt": len(task.worker_ids)},
    )


def task_is_superseded(task: TaskRow) -> None:
    logger.warning(
        "Task %s was ended by another process meanwhile; its result here is dropped", task.pk
    )


def task_is_expired(task: TaskRow) -> None:
    logger.warning(
        "Task %s %s %s: no worker had begun it when it expired",
        task.pk,
        task.task_path,
        task.status,
        extra={"task_id": str(task.pk), "task": task.task_path},
    )


def task_is_lost(task: TaskRow, worker_id: str, reason: str) -> None:
    was_stopped = task.exception_class_path in {
        TaskCancelled.class_path(),
        TaskTimedOut.class_path(),
    }
    logger.log(
        logging.INFO if was_stopped else logging.ERROR,
        "Task %s %s %s worker_id=%s: %s",
        task.pk,
        task.task_path,
        task.status,
        worker_id,
        reason,
        extra=_members(task, worker_id),
    )


def _members(task: TaskRow, worker_id: str) -> dict[str, str]:
    return {"task_id": str(task.pk), "task": task.task_path, "worker_id": worker_id}
