"""Cancelling a task before a worker starts it."""

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


def cancel(identifier: str, caller: Caller) -> tuple[Adapter, StoredTask]:
    """
    Cancel a task that no worker has started, and return it with its adapter, like `find`.

    A task that is cancelled already is returned unchanged.

    Raises:
        NotCancellable: 409, the task is running or finished.
        NotSupportedByBackend: 400, the task's backend does not support it.
        Problem: what reading the task raises.

    """
    adapter, task = find(identifier, caller)
    if task.status == TaskResultStatus.READY:
        ended = adapter.cancel(task.id)
        if ended is None:
            raise NotFound
        task = ended
    if not _is_cancelled(task):
        raise NotCancellable
    return adapter, task


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
    return [error.exception_class_path for error in task.errors] == [TaskCancelled.class_path()]
