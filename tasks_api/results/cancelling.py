"""Cancelling a task: before a worker starts it, at once; while it runs, by telling it to stop."""

import logging
from typing import Any

from django.tasks import TaskResult, TaskResultStatus
from django.tasks import signals as django

from tasks_api.backends import Adapter, StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.exceptions import TaskCancelled
from tasks_api.problems import NotCancellable, NotFound
from tasks_api.results.reading import find

logger = logging.getLogger("tasks_api.results")

MAX_LOOKS = 10
"""How often a task may change, between two looks, from waiting to running or back."""


def cancel(identifier: str, caller: Caller) -> tuple[Adapter, StoredTask]:
    """
    Cancel a task, and return it with its adapter, like `find`.

    A task that runs is told to stop, and returned as running, with `cancel_requested_at`. A task that is
    cancelled, or told to stop, already is returned unchanged.

    Raises:
        NotCancellable: 409, the task is finished, or runs where it cannot be told to stop.
        NotSupportedByBackend: 400, the task's backend does not support it.
        Problem: what reading the task raises.

    """
    adapter, task = find(identifier, caller)
    for _ in range(MAX_LOOKS):
        if task.is_finished:
            if _is_cancelled(task):
                return adapter, task
            raise NotCancellable
        act = adapter.cancel if task.status == TaskResultStatus.READY else adapter.request_stop
        changed = act(task.id)
        if changed is None:
            raise NotFound
        task = changed
        if task.status == TaskResultStatus.RUNNING and task.cancel_requested_at is not None:
            return adapter, task
    raise NotCancellable("The task is started and put back too often; try again.")


def log_cancellations_as_such() -> None:
    """Log a cancellation, which is no error, instead of the error that Django logs for every FAILED task."""
    django.task_finished.disconnect(django.log_task_finished)
    django.task_finished.connect(log_task_finished)


def log_task_finished(*, sender: Any, task_result: "TaskResult[..., Any]", **others: Any) -> None:
    """Log a cancellation as one, and leave any other end of a task to Django; a signal's receiver."""
    if _is_cancelled(task_result):
        logger.info("Task %s (%s) was cancelled", task_result.id, task_result.task.module_path)
    else:
        django.log_task_finished(sender, task_result, **others)


def _is_cancelled(task: "StoredTask | TaskResult[..., Any]") -> bool:
    # There may be errors of attempts before.
    last = task.errors[-1].exception_class_path if task.errors else None
    return last == TaskCancelled.class_path()
