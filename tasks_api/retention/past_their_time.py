"""What is past its time, by the database's clock."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import router
from django.db.models import Model, QuerySet
from django.tasks import TaskResultStatus
from django.tasks.exceptions import InvalidTaskBackend

from tasks_api.backends import Adapter, adapter_for, adapters
from tasks_api.backends.database.clock import database_now
from tasks_api.calls.idempotency import LIFETIME
from tasks_api.conf import tasks_api_settings
from tasks_api.models import IdempotencyRecord, TaskOwner, Worker
from tasks_api.retention.sweep import ChoosySweep, Sweep
from tasks_api.timestamps import as_stored

RUNNING = TaskResultStatus.RUNNING.value
WORKERS_UNSEEN_FOR = timedelta(days=1)
"""After how long a worker's row goes that no other worker has removed: none has run since."""


def sweeps() -> Iterator[Sweep | ChoosySweep]:
    """Yield what removes each kind; the one that asks other stores comes last, for it may fail."""
    by_days = _statuses_by_days()
    for adapter in adapters():
        for days, statuses in by_days.items():
            rows = adapter.finished_for(timedelta(days=days), statuses)
            if rows is not None:
                yield Sweep(f"{' and '.join(statuses)} tasks", rows, "finished_at")
    yield Sweep("idempotency records", _older(IdempotencyRecord, LIFETIME), "created_at")
    for adapter in adapters():
        if adapter.is_observable:
            yield _workers(adapter)
    if all(_days().values()):
        # Where tasks of some status stay for ever, so does the knowledge of whose they are.
        yield _owners(timedelta(days=max(by_days)))


def _days() -> dict[str, int]:
    settings = tasks_api_settings()
    failed = settings.retention_days_failed
    return {
        TaskResultStatus.SUCCESSFUL.value: settings.retention_days,
        TaskResultStatus.FAILED.value: settings.retention_days if failed is None else failed,
    }


def _statuses_by_days() -> dict[int, list[str]]:
    """Group the final states by how long tasks stay in them, without those that have no end."""
    grouped: dict[int, list[str]] = {}
    for status, days in _days().items():
        if days:
            grouped.setdefault(days, []).append(status)
    return grouped


def _workers(adapter: Adapter) -> ChoosySweep:
    """Sweep up workers that are long gone; one whose task is still to be ended stays for that."""

    def may_go(worker: Worker) -> bool:
        task = worker.current_task and adapter.get(str(worker.current_task))
        return not task or (task.status, task.worker_ids[-1:]) != (RUNNING, [worker.pk])

    workers: Any = Worker.objects.using(adapter.database)
    unseen = workers.unseen_for(WORKERS_UNSEEN_FOR.total_seconds())
    return ChoosySweep("rows of dead workers", unseen, "last_seen_at", may_go)


def _owners(age: timedelta) -> ChoosySweep:
    """Sweep up whose tasks were that other stores keep no longer, or have kept for long enough."""
    rows = _older(TaskOwner, age)
    cutoff = database_now(rows.db) - age

    def may_go(owner: TaskOwner) -> bool:
        try:
            adapter = adapter_for(owner.backend)
        except InvalidTaskBackend:
            return True
        task = adapter.get(owner.task_id) if adapter.keeps_results else None
        return task is None or (task.finished_at is not None and task.finished_at < cutoff)

    return ChoosySweep("owners of tasks", rows, "created_at", may_go)


def _older(model: type[Model], age: timedelta) -> QuerySet[Any]:
    alias = router.db_for_write(model)
    rows = model._default_manager.using(alias)
    return rows.filter(created_at__lte=as_stored(database_now(alias) - age))
