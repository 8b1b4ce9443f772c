"""
What comes after an attempt that has failed: another one, as far as the policy of the task allows.

The kept errors of a task are few and short: they are read with it.
"""

from datetime import timedelta
from typing import Any

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from tasks_api.backends.base import Limits
from tasks_api.backends.database.clock import database_now
from tasks_api.backends.database.limits import policy_for
from tasks_api.json_text import json_text
from tasks_api.models import TaskRun
from tasks_api.timestamps import as_stored, timestamp
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict, cut

MAX_ERRORS_BYTES = 256 * 1024
_LENGTHS = [64 * 1024 // 2**halvings for halvings in range(8)]
"""To how many characters tracebacks are cut until all errors fit."""


def pause_before_next(task: TaskRow, limits: Limits, verdict: Verdict) -> float | None:
    """Return in how many seconds the next attempt is due; None if there is none."""
    if verdict.status != TaskResultStatus.FAILED:
        return None
    policy = policy_for(task.task_path, limits)
    attempt = len(task.worker_ids)
    if attempt >= policy.max_attempts or not policy.retries(verdict.kinds):
        return None
    return policy.pause_after(attempt)


def put_back(alias: str, task: TaskRow, limits: Limits, verdict: Verdict, pause: float) -> bool:
    """
    Make a task READY again and keep the error of its attempt, in a transaction that has locked its row.

    Nothing is changed, and False returned, if a client has cancelled the task, or it expires before the
    next attempt.
    """
    run = TaskRun.objects.using(alias).filter(pk=task.pk).first()
    now = database_now(alias)
    due = now + timedelta(seconds=pause)
    if run is not None and run.cancel_requested_at is not None:
        return False
    if limits.expires_at is not None and limits.expires_at <= due:
        return False
    if run is None:
        run = TaskRun(task_id=task.pk)
    if run.started_at is None:
        run.started_at = task.started_at
    error = {
        "attempt": len(task.worker_ids),
        "failed_at": timestamp(now),
        "worker_id": task.worker_ids[-1],
        "exception_class_path": verdict.exception_class_path,
        "traceback": verdict.traceback,
    }
    run.errors = _fitting([*run.errors, error])
    run.save(using=alias)
    task.status, task.run_after = TaskResultStatus.READY, as_stored(due)
    ours = DBTaskResult.objects.using(alias).filter(pk=task.pk)
    ours.update(status=task.status, run_after=task.run_after)
    return True


def _fitting(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut the tracebacks as much as is needed for all errors to fit."""
    cut_errors = errors
    for length in _LENGTHS:
        cut_errors = [{**error, "traceback": cut(error["traceback"], length)} for error in errors]
        if len(json_text(cut_errors)) <= MAX_ERRORS_BYTES:
            break
    return cut_errors
