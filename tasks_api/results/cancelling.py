"""Cancelling a task before a worker starts it."""

from django.tasks import TaskResultStatus

from tasks_api.backends import StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.exceptions import TaskCancelled
from tasks_api.problems import NotCancellable, NotFound
from tasks_api.results.reading import find


def cancel(identifier: str, caller: Caller) -> StoredTask:
    """
    Cancel a task that no worker has started; a cancelled task is returned unchanged.

    Raises:
        NotCancellable: 409, the task is running or finished.
        NotSupportedByBackend: 400, the task's backend does not support it.
        Problem: what reading the task raises.

    """
    adapter, task = find(identifier, caller)
    if task.status == TaskResultStatus.READY:
        ended = adapter.cancel(identifier)
        if ended is None:
            raise NotFound
        task = ended
    if [error.exception_class_path for error in task.errors] != [TaskCancelled.class_path()]:
        raise NotCancellable
    return task
