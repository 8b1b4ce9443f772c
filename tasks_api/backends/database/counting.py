"""
Counting the rows of tasks that wait or run, which no index knows the number of.

The statements look at such rows alone, by our index of the status: those of a backend are picked out
afterwards, or a database might prefer an index that leads through all finished rows.
"""

from datetime import datetime
from typing import Any

from django.db.models import Case, Count, F, Min, Q, QuerySet, When
from django.db.models.functions import Greatest
from django.tasks import TaskResultStatus

from tasks_api.backends.base import QueueFigures
from tasks_api.backends.database.clock import database_now
from tasks_api.backends.database.indexes import STATUS
from tasks_api.timestamps import as_stored, aware


def figures_of(rows: QuerySet[Any], *, undeferred: datetime) -> list[QueueFigures]:
    """Count rows by backend and queue; `undeferred` is the `run_after` of those that have none."""
    now = database_now(rows.db)
    is_ready = Q(run_after=undeferred) | Q(run_after__lte=as_stored(now))
    # Deferred into the past, a task was ready from the start.
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


def _by_queue(rows: QuerySet[Any], status: str) -> QuerySet[Any, dict[str, Any]]:
    in_this_state: QuerySet[Any] = rows.alias(indexed_status=STATUS).filter(indexed_status=status)
    return in_this_state.order_by().values("backend_name", "queue_name")


def _figures(group: dict[str, Any], now: datetime) -> QueueFigures:
    ready, oldest = group.get("ready", 0), aware(group.get("oldest"))
    return QueueFigures(
        name=group["queue_name"],
        backend=group["backend_name"],
        ready=ready,
        deferred=group.get("waiting", 0) - ready,
        running=group.get("running", 0),
        # The process that enqueued it may have a clock that is ahead.
        oldest_ready_age_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else None,
    )
