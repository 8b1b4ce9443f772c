"""From a checked call to a stored task: the task's own backend does it."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.tasks import Task
from django.tasks.exceptions import InvalidTask

from tasks_api.backends import Enqueueing, StoredTask, adapter_for
from tasks_api.calls.call import Call
from tasks_api.clients.ownership import record_owner
from tasks_api.faults import Fault, json_pointer
from tasks_api.problems import NotSupportedByBackend, StoreUnavailable
from tasks_api.timestamps import as_stored

logger = logging.getLogger("tasks_api.calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What a request wants enqueued: checked calls, and the client whose tasks they become.

    Attributes:
        is_batch: whether pointers lead into a list of calls, be it one of a single call.

    """

    calls: Sequence[Call]
    owner: int
    is_batch: bool = False

    @property
    def databases(self) -> set[str | None]:
        """The databases that the tasks are written to in a transaction; None for any other store."""
        return {adapter_for(call.task_type.task.backend).database for call in self.calls}

    def enqueue(self) -> list[StoredTask]:
        """
        Enqueue all of the tasks or none; one that ran at once is returned as finished.

        Raises:
            NotSupportedByBackend: 400, the backend has a rule of its own that a task breaks.

        """
        if self.is_batch:
            return _enqueue_together(self.calls, self.owner)
        return [_enqueue(call, self.owner) for call in self.calls]


def _enqueue(call: Call, owner: int) -> StoredTask:
    try:
        task = _task_of(call)
        adapter = adapter_for(task.backend)
        stored = adapter.enqueue(task, call.args, call.kwargs, owner=owner)
    except InvalidTask as error:
        raise NotSupportedByBackend from error
    try:
        record_owner(adapter, stored.id, owner)
    except (OperationalError, InterfaceError) as error:
        logger.error("Task %s of client %d was enqueued without its owner", stored.id, owner)
        raise EnqueuedAllTheSame from error
    return stored


def _enqueue_together(calls: Sequence[Call], owner: int) -> list[StoredTask]:
    """
    Enqueue in one transaction of the database that the tasks are stored in.

    Tasks of the same priority and the same `run_after` run in the order of the calls.
    """
    wanted: dict[str, dict[int, Enqueueing]] = defaultdict(dict)
    for number, call in enumerate(calls):
        with _refused_at(number):
            task = _task_of(call)
        wanted[task.backend][number] = (task, call.args, call.kwargs)
    stored: dict[int, StoredTask] = {}
    with transaction.atomic(using=adapter_for(next(iter(wanted))).database):
        for backend, enqueueings in wanted.items():
            adapter = adapter_for(backend)
            tasks = adapter.enqueue_together(list(enqueueings.values()), owner=owner)
            for number in enqueueings:
                with _refused_at(number):
                    stored[number] = next(tasks)
                record_owner(adapter, stored[number].id, owner)
    return [stored[number] for number in range(len(calls))]


@contextmanager
def _refused_at(number: int) -> Iterator[None]:
    """Point to the call whose task its backend refuses."""
    try:
        yield
    except InvalidTask as error:
        detail = "Breaks a rule of its task's backend."
        fault = Fault("backend_rule", detail, pointer=json_pointer("tasks", number))
        raise NotSupportedByBackend(faults=[fault]) from error


def _task_of(call: Call) -> "Task[..., Any]":
    task = call.task_type.task
    run_after = as_stored(call.run_after) if call.run_after else None
    if (call.queue_name, call.priority, run_after) == (None, None, None):
        return task
    return task.using(queue_name=call.queue_name, priority=call.priority, run_after=run_after)


class EnqueuedAllTheSame(StoreUnavailable):
    """The task was enqueued, but what is kept beside it could not be written."""
