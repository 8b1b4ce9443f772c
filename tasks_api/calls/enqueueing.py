"""From a checked call to a stored task: the task's own backend does it."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.tasks import Task
from django.tasks.exceptions import InvalidTask

from tasks_api.backends import Adapter, Enqueueing, StoredTask, adapter_for
from tasks_api.calls.call import Call
from tasks_api.clients.ownership import record_owner
from tasks_api.problems import Fault, NotSupportedByBackend, StoreUnavailable, json_pointer
from tasks_api.timestamps import as_stored

logger = logging.getLogger("tasks_api.calls")


def enqueue(call: Call, *, owner: int) -> StoredTask:
    """
    Enqueue the task for a client and return it as stored, or finished when it ran at once.

    Raises:
        NotSupportedByBackend: 400, the backend has a rule of its own that the task breaks.

    """
    try:
        task = _task_of(call)
        adapter = adapter_for(task.backend)
        stored = adapter.enqueue(task, call.args, call.kwargs, owner=owner)
    except InvalidTask as error:
        raise NotSupportedByBackend from error
    _record_owner(adapter, stored.id, owner)
    return stored


def enqueue_together(calls: Sequence[Call], *, owner: int) -> list[StoredTask]:
    """
    Enqueue all of the tasks or none, in one transaction of the database that they are stored in.

    Tasks of the same priority and the same `run_after` run in the order of the calls.

    Raises:
        NotSupportedByBackend: 400, the backend has a rule of its own that a task breaks.

    """
    wanted: dict[str, dict[int, Enqueueing]] = defaultdict(dict)
    for number, call in enumerate(calls):
        try:
            task = _task_of(call)
        except InvalidTask as error:
            detail = "Breaks a rule of its task's backend."
            fault = Fault("backend_rule", detail, pointer=json_pointer("tasks", number))
            raise NotSupportedByBackend(faults=[fault]) from error
        wanted[task.backend][number] = (task, call.args, call.kwargs)
    stored: dict[int, StoredTask] = {}
    with transaction.atomic(using=adapter_for(next(iter(wanted))).database):
        for backend, enqueueings in wanted.items():
            adapter = adapter_for(backend)
            tasks = adapter.enqueue_together(list(enqueueings.values()), owner=owner)
            stored |= zip(enqueueings, tasks, strict=True)
            for stored_task in tasks:
                _record_owner(adapter, stored_task.id, owner)
    return [stored[number] for number in range(len(calls))]


def _task_of(call: Call) -> "Task[..., Any]":
    task = call.task_type.task
    run_after = as_stored(call.run_after) if call.run_after else None
    if (call.queue_name, call.priority, run_after) == (None, None, None):
        return task
    return task.using(queue_name=call.queue_name, priority=call.priority, run_after=run_after)


class EnqueuedAllTheSame(StoreUnavailable):
    """The task was enqueued, but what is kept beside it could not be written."""


def _record_owner(adapter: Adapter, identifier: str, owner: int) -> None:
    try:
        record_owner(adapter, identifier, owner)
    except (OperationalError, InterfaceError) as error:
        logger.error("Task %s of client %d was enqueued without its owner", identifier, owner)
        raise EnqueuedAllTheSame from error
