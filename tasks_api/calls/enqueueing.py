"""Enqueueing checked calls with the tasks' own backends."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections, transaction
from django.tasks.exceptions import InvalidTask

from tasks_api.backends import Adapter, Call, StoredTask, adapter_for
from tasks_api.calls.batch import MEMBER
from tasks_api.calls.checking import refused_by_backend
from tasks_api.calls.members import call_members
from tasks_api.clients.ownership import record_owner
from tasks_api.problems import NotSupportedByBackend, StoreUnavailable

logger = logging.getLogger("tasks_api.calls")


class EnqueuedIncompletely(StoreUnavailable):
    """The task was enqueued, but what is stored beside it, such as its owner, was not."""


def enqueue(call: Call) -> StoredTask:
    """
    Enqueue a task; one that its backend ran immediately is returned as finished.

    Raises:
        NotSupportedByBackend: 400, the backend rejected the task.

    """
    adapter = adapter_for(call.task.backend)
    with _transaction(adapter) if call.members else nullcontext():
        try:
            stored = adapter.enqueue(call)
        except InvalidTask as error:
            raise refused_by_backend() from error
        try:
            record_owner(adapter, stored.id, call.owner)
            _pass_on_members([(call, stored)])
        except Exception as error:
            if _will_be_undone(adapter):
                raise
            logger.error(
                "Task %s of client %d was enqueued, but its owner or its further members were not "
                "stored: %s",
                stored.id,
                call.owner,
                error,
            )
            raise EnqueuedIncompletely from error
    return stored


def enqueue_together(calls: Sequence[Call]) -> list[StoredTask]:
    """
    Enqueue all tasks or none, in one transaction of the database that stores them.

    Tasks with the same priority and the same `run_after` run in the order of the calls.

    Raises:
        NotSupportedByBackend: 400, a backend rejected a task; the pointer leads to its call.

    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, call in enumerate(calls):
        places[call.task.backend].append(place)
    stored: dict[int, StoredTask] = {}
    with _transaction(adapter_for(next(iter(places)))):
        for alias, of_backend in places.items():
            adapter = adapter_for(alias)
            tasks = adapter.enqueue_together([calls[place] for place in of_backend])
            for place in of_backend:
                try:
                    stored[place] = next(tasks)
                except InvalidTask as error:
                    raise _refused_at(place) from error
                record_owner(adapter, stored[place].id, calls[place].owner)
        _pass_on_members([(call, stored[place]) for place, call in enumerate(calls)])
    return [stored[place] for place in range(len(calls))]


def _refused_at(place: int) -> NotSupportedByBackend:
    faults = [fault.under(MEMBER, place) for fault in refused_by_backend().faults]
    return NotSupportedByBackend(faults=faults)


def _transaction(adapter: Adapter) -> AbstractContextManager[Any]:
    database = adapter.database
    return nullcontext() if database is None else transaction.atomic(using=database)


def _will_be_undone(adapter: Adapter) -> bool:
    """Tell whether an exception rolls back what the adapter has just enqueued."""
    return adapter.database is not None and connections[adapter.database].in_atomic_block


def _pass_on_members(enqueued: Sequence[tuple[Call, StoredTask]]) -> None:
    """Pass the values of additional members to the apps that registered them."""
    for name, member in call_members.items():
        if valued := [
            (task, call.members[name]) for call, task in enqueued if name in call.members
        ]:
            member.enqueued(valued)
