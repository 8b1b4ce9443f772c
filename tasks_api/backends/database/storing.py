"""
Storing new tasks as `DatabaseBackend.enqueue` does, by a statement that is compiled once.

That method builds the same INSERT anew for each task, and its result twice, importing the task for each.
`tests/backends/test_storing.py` holds the row, the signal and the result to what it makes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any
from uuid import UUID

import django.tasks.backends.base
import django.tasks.base
import django_tasks_db.backend
from django.db import router
from django.db.models.signals import post_init, post_save, pre_init, pre_save
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskResultStatus
from django.utils import timezone
from django_tasks_db.backend import TaskResult
from django_tasks_db.models import DBTaskResult, get_date_max
from django_tasks_db.signal_handlers import set_run_after

from tasks_api.backends.announcing import announce, receivers_of
from tasks_api.backends.base import Call, StoredTask
from tasks_api.backends.database.limits import with_limits
from tasks_api.backends.database.prepared import InsertRows
from tasks_api.ids import id_for, new_task_id
from tasks_api.timestamps import aware

_METHODS = ("enqueue", "_task_to_db_task", "_get_id")
_SIGNALS = (pre_init, post_init, pre_save, post_save)

_insert_rows = InsertRows(
    DBTaskResult,
    {
        "id",
        "enqueued_at",
        "args_kwargs",
        "priority",
        "task_path",
        "queue_name",
        "backend_name",
        "run_after",
    },
)


def stores_as_upstream(backend: BaseTaskBackend) -> bool:
    """Tell whether `store()` makes of a call what the backend's own `enqueue()` would."""
    return (
        getattr(backend, "id_function", None) is new_task_id
        and all(_is_from(django_tasks_db.backend, getattr(backend, name)) for name in _METHODS)
        and _is_from(django.tasks.backends.base, backend.validate_task)
        and _is_from(django.tasks.base, backend.task_class.enqueue)
        and InsertRows.supports(router.db_for_write(DBTaskResult))
        and not _is_watched()
    )


def _is_from(module: ModuleType, method: Any) -> bool:
    """
    Tell whether a method is the one that a module defines, not one of a subclass, or a wrapper.

    Tools that trace calls, as Sentry does those of `Task.enqueue`, wrap methods before this module is
    imported or later. What wraps has the name of what it wraps, but globals of its own.
    """
    function = method.__func__ if type(method) is MethodType else method
    return type(function) is FunctionType and function.__globals__ is vars(module)


def _is_watched() -> bool:
    """Tell whether the project has receivers of the model's signals, which `store()` does not send."""
    return any(
        receiver is not set_run_after
        for signal in _SIGNALS
        for receiver in receivers_of(signal, DBTaskResult)
    )


def store(backend: BaseTaskBackend, calls: Sequence[Call]) -> Iterator[StoredTask]:
    """
    Store tasks, and announce each while they are iterated over; several need a transaction.

    Those with the same priority and `run_after` run in the order of the calls.
    """
    now = timezone.now()
    rows = [
        {
            "id": key,
            "enqueued_at": now + timedelta(microseconds=place),
            "args_kwargs": with_limits({"args": call.args, "kwargs": call.kwargs}, call.limits),
            "priority": call.task.priority,
            "task_path": call.task.module_path,
            "queue_name": call.task.queue_name,
            "backend_name": backend.alias,
            "run_after": call.task.run_after or get_date_max(),
        }
        for place, (key, call) in enumerate(zip(_ids_for(calls), calls, strict=True))
    ]
    _insert_rows(rows)
    for row, call in zip(rows, calls, strict=True):
        announce(type(backend), partial(_result, row, call))
        yield _stored(row, call)


def _ids_for(calls: Sequence[Call]) -> Iterable[UUID]:
    """Generate an id for each call; those of one owner sort in the order of the calls, as in lists."""
    if len(calls) == 1:
        return [id_for(calls[0].owner)]
    generated: dict[int, list[UUID]] = defaultdict(list)
    for call in calls:
        generated[call.owner].append(id_for(call.owner))
    # Ids of the same millisecond are in random order.
    ordered = {owner: iter(sorted(ids)) for owner, ids in generated.items()}
    return [next(ordered[call.owner]) for call in calls]


def _result(row: Mapping[str, Any], call: Call) -> "TaskResult[..., Any]":
    """Build Django's result, like the model's property `task_result`, which imports the task."""
    return TaskResult(
        db_result=_instance(row),
        task=call.task,
        id=str(row["id"]),
        status=TaskResultStatus.READY,
        enqueued_at=row["enqueued_at"],
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=call.args,
        kwargs=call.kwargs,
        backend=row["backend_name"],
        errors=[],
        worker_ids=[],
    )


def _instance(row: Mapping[str, Any]) -> "DBTaskResult[..., Any]":
    instance: DBTaskResult[..., Any] = DBTaskResult(**row)
    instance._state.adding = False
    instance._state.db = router.db_for_write(DBTaskResult)
    return instance


def _stored(row: Mapping[str, Any], call: Call) -> StoredTask:
    return StoredTask(
        id=str(row["id"]),
        task_path=row["task_path"],
        status=TaskResultStatus.READY.value,
        args=call.args,
        kwargs=call.kwargs,
        queue_name=row["queue_name"],
        priority=row["priority"],
        run_after=aware(call.task.run_after),
        backend=row["backend_name"],
        enqueued_at=aware(row["enqueued_at"]),
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        worker_ids=[],
        return_value=None,
        errors=[],
        limits=call.limits,
    )
