"""The processes that run tasks, from their rows."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

from django.db import connections
from django.utils import timezone
from pydantic import Field

from tasks_api.backends import adapters
from tasks_api.conf import tasks_api_settings
from tasks_api.models import Worker
from tasks_api.problems import QueuesNotSupported
from tasks_api.results.representation import Timestamp
from tasks_api.timestamps import aware, timestamp


class WorkerRepresentation(TypedDict):
    """A process that runs tasks."""

    worker_id: Annotated[str, Field(description="As in a task's `worker_ids`.")]
    hostname: str
    pid: int
    queue_names: Annotated[
        list[str], Field(description="The queues whose tasks it runs; `*` stands for all queues.")
    ]
    started_at: Timestamp
    last_seen_at: Timestamp
    is_alive: Annotated[
        bool,
        Field(description="Whether its heartbeat is recent, by the database's clock."),
    ]
    current_task: Annotated[str | None, Field(description="The id of the running task, or null.")]


class WorkerListRepresentation(TypedDict):
    """The workers, in the order of their start."""

    results: list[WorkerRepresentation]


def workers() -> list[WorkerRepresentation]:
    """
    Return all workers that have not ended, including dead workers that were not noticed yet.

    Raises:
        QueuesNotSupported: 501, no backend has our workers.

    """
    adapter = next((adapter for adapter in adapters() if adapter.is_observable), None)
    if adapter is None:
        raise QueuesNotSupported
    lost_after = tasks_api_settings().lost_after_seconds
    rows = Worker.objects.using(adapter.database).with_is_alive(lost_after)
    return [_represent(worker) for worker in rows]


def _represent(worker: Any) -> WorkerRepresentation:
    task = worker.current_task
    return {
        "worker_id": worker.worker_id,
        "hostname": worker.hostname,
        "pid": worker.pid,
        "queue_names": worker.queue_names,
        "started_at": _timestamp(worker.started_at, worker),
        "last_seen_at": _timestamp(worker.last_seen_at, worker),
        "is_alive": worker.is_alive,
        "current_task": None if task is None else str(task),
    }


def _timestamp(time: datetime, worker: Worker) -> str:
    if timezone.is_naive(time) and connections[str(worker._state.db)].vendor == "sqlite":
        # Written by SQLite's own clock, which is in UTC.
        return timestamp(time.replace(tzinfo=UTC))
    return timestamp(aware(time))
