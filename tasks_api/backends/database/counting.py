"""
Counting the rows of waiting and running tasks.

The statements read only such rows, by our index of the status. Those of a backend are selected
afterwards, because a database might otherwise prefer an index that leads through all finished rows.
"""

from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Case, Count, Exists, F, Min, OuterRef, Q, QuerySet, When
from django.db.models.functions import Greatest
from django.tasks import TaskResultStatus

from tasks_api.backends.base import QueueFigures
from tasks_api.backends.database.clock import database_now
from tasks_api.backends.database.indexes import STATUS
from tasks_api.models import Worker
from tasks_api.timestamps import as_stored, aware


def figures_of(rows: QuerySet[Any], *, undeferred: datetime) -> list[QueueFigures]:
    """Count rows by backend and queue; `undeferred` is the `run_after` of tasks that are not deferred."""
    now = database_now(rows.db)
    is_ready = Q(run_after=undeferred) | Q(run_after__lte=as_stored(now))
    # A task that was deferred to a time in the past was ready from the start.
    ready_since = Case(
        When(run_after=undeferred, then=F("enqueued_at")),
        default=Greatest("run_after", "enqueued_at"),
    )
    waiting = _by_queue(rows, TaskResultStatus.READY).annotate(
        waiting=Count("*"),
        ready=Count("pk", filter=is_ready),
        oldest=Min(ready_since, filter=is_ready),
    )
    running = _by_queue(rows, TaskResultStatus.RUNNING).annotate(running=Count("*"))
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for group in (*waiting, *running):
        merged.setdefault((group["backend_name"], group["queue_name"]), {}).update(group)
    return [_figures(group, now) for group in merged.values()]


def running_elsewhere(rows: QuerySet[Any], limit: int) -> int:
    """Count those of the newest running tasks that no worker of ours has claimed."""
    tables = set(connections[rows.db].introspection.table_names())
    if not tables.issuperset(model._meta.db_table for model in (rows.model, Worker)):
        # Before the first migration.
        return 0
    newest = _in_state(rows, TaskResultStatus.RUNNING).order_by("-pk")[:limit]
    # One statement: between two, a worker may have finished one task and begun another.
    claimed = Worker.objects.using(rows.db).filter(current_task=OuterRef("pk"))
    return rows.filter(pk__in=newest.values("pk")).filter(~Exists(claimed)).count()


def _by_queue(rows: QuerySet[Any], status: str) -> QuerySet[Any, dict[str, Any]]:
    return _in_state(rows, status).order_by().values("backend_name", "queue_name")


def _in_state(rows: QuerySet[Any], status: str) -> QuerySet[Any]:
    in_this_state: QuerySet[Any] = rows.alias(indexed_status=STATUS).filter(indexed_status=status)
    return in_this_state


def _figures(group: dict[str, Any], now: datetime) -> QueueFigures:
    ready, oldest = group.get("ready", 0), aware(group.get("oldest"))
    return QueueFigures(
        name=group["queue_name"],
        backend=group["backend_name"],
        ready=ready,
        deferred=group.get("waiting", 0) - ready,
        running=group.get("running", 0),
        # The clock of the process that enqueued it may be ahead.
        oldest_ready_age_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else None,
    )
