"""From a checked call to a stored task: the task's own backend does it."""

import logging

from django.db import InterfaceError, OperationalError
from django.tasks.exceptions import InvalidTask

from tasks_api.backends import Adapter, StoredTask, adapter_for
from tasks_api.calls.call import Call
from tasks_api.clients.ownership import record_owner
from tasks_api.problems import NotSupportedByBackend, StoreUnavailable
from tasks_api.timestamps import as_stored

logger = logging.getLogger("tasks_api.calls")


def enqueue(call: Call, *, owner: int) -> StoredTask:
    """
    Enqueue the task for a client and return it as stored, or finished when it ran at once.

    Raises:
        NotSupportedByBackend: 400, the backend has a rule of its own that the task breaks.

    """
    task = call.task_type.task
    run_after = as_stored(call.run_after) if call.run_after else None
    try:
        if (call.queue_name, call.priority, run_after) != (None, None, None):
            task = task.using(
                queue_name=call.queue_name, priority=call.priority, run_after=run_after
            )
        adapter = adapter_for(task.backend)
        stored = adapter.enqueue(task, call.args, call.kwargs, owner=owner)
    except InvalidTask as error:
        raise NotSupportedByBackend from error
    _record_owner(adapter, stored.id, owner)
    return stored


class EnqueuedAllTheSame(StoreUnavailable):
    """The task was enqueued, but what is kept beside it could not be written."""


def _record_owner(adapter: Adapter, identifier: str, owner: int) -> None:
    try:
        record_owner(adapter, identifier, owner)
    except (OperationalError, InterfaceError) as error:
        logger.error("Task %s of client %d was enqueued without its owner", identifier, owner)
        raise EnqueuedAllTheSame from error
