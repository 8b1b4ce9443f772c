"""What an adapter gives us of a backend, in the terms of `django.tasks`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    A checked call, ready to be enqueued.

    Attributes:
        task: with the queue, the priority and the `run_after` that it is to have.
        owner: the number of the client whose task it becomes.
        members: what the call says of the members that optional apps have added.

    """

    task: "Task[..., Any]"
    args: list[Any]
    kwargs: dict[str, Any]
    owner: int
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One entry of a task's `errors`."""

    exception_class_path: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """
    One execution of a task as its backend tells it: `django.tasks.TaskResult` by names alone.

    It holds the task's path instead of the task, so that a task whose code was removed can still be
    read. `run_after` is None for a task that was not deferred. Every moment is aware.
    """

    id: str
    task_path: str
    status: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue_name: str
    priority: int
    run_after: datetime | None
    backend: str
    enqueued_at: datetime | None
    started_at: datetime | None
    last_attempted_at: datetime | None
    finished_at: datetime | None
    worker_ids: list[str]
    return_value: Any
    errors: list[Failure]

    @property
    def is_finished(self) -> bool:
        return self.status in {"SUCCESSFUL", "FAILED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    Which tasks of its owner a list shows; what is empty or None excludes none.

    The moment of enqueueing lies in `enqueued_after` <= moment < `enqueued_before`, both aware.
    `filters` are names of `list_filters` with the texts that were given for them.
    """

    statuses: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    queue_name: str | None = None
    enqueued_after: datetime | None = None
    enqueued_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """
    What waits and runs in one queue of a backend.

    Attributes:
        ready: how many tasks wait for a worker.
        deferred: how many wait for their `run_after` first.
        oldest_ready_age_seconds: for how long a worker could have taken the one that waits
            longest; None when none is ready.

    """

    name: str
    backend: str
    ready: int = 0
    deferred: int = 0
    running: int = 0
    oldest_ready_age_seconds: float | None = None


type Side = Literal["<", "<=", ">", ">="]

_OTHER_SIDE: dict[Side, Side] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Position:
    """
    A gap between two tasks of a list, and the side of it to read: `<` is what is older than `id`.

    A gap stays where it is while tasks are added and removed around it.
    """

    side: Side
    id: str

    @property
    def leads_to_older(self) -> bool:
        return self.side in {"<", "<="}

    @property
    def turned_round(self) -> "Position":
        """The same gap, to read its other side."""
        return Position(_OTHER_SIDE[self.side], self.id)


@dataclass(frozen=True, slots=True)
class Slice:
    """
    What a store found when it walked a list from a position.

    Attributes:
        tasks: the nearest first; they are loaded while they are iterated over.
        reached: the id to walk on from; None when the walk came to the end of the list.

    """

    tasks: Iterable[StoredTask]
    reached: str | None
