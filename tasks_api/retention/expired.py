"""The rows that have expired, by the database's clock."""

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
from tasks_api.models import IdempotencyRecord, RateCount, TaskOwner, Worker
from tasks_api.retention.sweep import OrphanSweep, SelectiveSweep, Sweep
from tasks_api.timestamps import as_stored

RUNNING = TaskResultStatus.RUNNING.value
WORKERS_UNSEEN_FOR = timedelta(days=1)
"""After how long a dead worker's row is removed if no other worker has run to do so."""


def sweeps() -> Iterator[Sweep | SelectiveSweep]:
    """Yield a sweep for each kind of rows; the one that reads other stores is last, as it may fail."""
    by_days = _statuses_by_days()
    for adapter in adapters():
        for days, statuses in by_days.items():
            rows = adapter.finished_for(timedelta(days=days), statuses)
            if rows is not None:
                name = f"{' and '.join(statuses)} tasks"
                yield Sweep(name, rows, "finished_at", beside=adapter.rows_beside())
    for adapter in adapters():
        for rows in adapter.rows_beside():
            # Tasks can be removed by other means, such as the admin.
            yield OrphanSweep("attempts of removed tasks", rows)
    yield _rate_counts()
    yield Sweep("idempotency records", _older(IdempotencyRecord, LIFETIME), "created_at")
    for adapter in adapters():
        if adapter.is_observable:
            yield _workers(adapter)
    if all(_days().values()):
        # If tasks of some status are kept forever, their owners are kept too.
        yield _owners(timedelta(days=max(by_days)))


def kept_forever() -> list[str]:
    """Return the final statuses of tasks that nothing removes."""
    return [status for status, days in _days().items() if not days]


def _days() -> dict[str, int]:
    settings = tasks_api_settings()
    failed = settings.retention_days_failed
    return {
        TaskResultStatus.SUCCESSFUL.value: settings.retention_days,
        TaskResultStatus.FAILED.value: settings.retention_days if failed is None else failed,
    }


def _statuses_by_days() -> dict[int, list[str]]:
    """Group the final statuses by retention period, without those that are kept forever."""
    grouped: dict[int, list[str]] = {}
    for status, days in _days().items():
        if days:
            grouped.setdefault(days, []).append(status)
    return grouped


def _rate_counts() -> Sweep:
    """Select counts of windows that have ended."""
    alias = router.db_for_write(RateCount)
    rows = RateCount.objects.using(alias)
    ended = rows.filter(window_ends_at__lt=int(database_now(alias).timestamp()))
    return Sweep("rate counts", ended, "window_ends_at")


def _workers(adapter: Adapter) -> SelectiveSweep:
    """Select rows of dead workers, except those whose task still has to be ended."""

    def is_removable(worker: Worker) -> bool:
        task = worker.current_task and adapter.get(str(worker.current_task))
        return not task or (task.status, task.worker_ids[-1:]) != (RUNNING, [worker.pk])

    workers: Any = Worker.objects.using(adapter.database)
    unseen = workers.unseen_for(WORKERS_UNSEEN_FOR.total_seconds())
    return SelectiveSweep("rows of dead workers", unseen, "last_seen_at", is_removable)


def _owners(age: timedelta) -> SelectiveSweep:
    """Select owners of tasks that other stores no longer have, or that finished before the period."""
    rows = _older(TaskOwner, age)
    cutoff = database_now(rows.db) - age

    def is_removable(owner: TaskOwner) -> bool:
        try:
            adapter = adapter_for(owner.backend)
        except InvalidTaskBackend:
            return True
        task = adapter.get(owner.task_id) if adapter.keeps_results else None
        return task is None or (task.finished_at is not None and task.finished_at < cutoff)

    return SelectiveSweep("owners of tasks", rows, "created_at", is_removable)


def _older(model: type[Model], age: timedelta) -> QuerySet[Any]:
    alias = router.db_for_write(model)
    rows = model._default_manager.using(alias)
    return rows.filter(created_at__lte=as_stored(database_now(alias) - age))
