"""What adapters take and return, in the terms of `django.tasks`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from django.tasks import Task

from tasks_api.outcomes import Outcome, outcome_of

FINISHED = frozenset({"SUCCESSFUL", "FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What a call says of how long and how often the task may be tried; None: nothing.

    Attributes:
        expires_at: no attempt begins from then on; aware.
        max_attempts: fewer than the policy allows.
        timeout_seconds: how long an attempt may take, less than the policy allows.

    """

    expires_at: datetime | None = None
    max_attempts: int | None = None
    timeout_seconds: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    A checked call, ready to be enqueued.

    Attributes:
        task: with the queue, the priority and the `run_after` of the call.
        owner: the number of the client that owns the task.
        members: the values of members that optional apps have registered.

    """

    task: "Task[..., Any]"
    args: list[Any]
    kwargs: dict[str, Any]
    owner: int
    limits: Limits = NO_LIMITS
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    One entry of a task's `errors`.

    Attributes:
        attempt: which attempt failed so, from 1; None if the task was ended while it waited.
        failed_at: aware.
        worker_id: who ran the attempt.

    """

    exception_class_path: str
    traceback: str
    attempt: int | None = None
    failed_at: datetime | None = None
    worker_id: str | None = None


class State(NamedTuple):
    """
    What is looked at to see whether a task has changed: if it has, its states differ. Times are aware.

    `started_at` is when the last attempt began.
    """

    status: str
    run_after: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None = None

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """
    One execution of a task as its backend returns it: like `django.tasks.TaskResult`.

    It has the task's path instead of the task, so that a task whose code was removed can still be
    read. `run_after` is None for a task that was not deferred. All times are aware.

    Attributes:
        started_at: when the first attempt began.
        last_attempted_at: when the last one did.
        errors: of each failed attempt, oldest first.
        limits: what its call has said; its policy may say more.
        cancel_requested_at: when a client cancelled it while it ran.

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
    limits: Limits = NO_LIMITS
    cancel_requested_at: datetime | None = None

    @property
    def state(self) -> State:
        return State(
            status=self.status,
            run_after=self.run_after,
            started_at=self.last_attempted_at,
            finished_at=self.finished_at,
            cancel_requested_at=self.cancel_requested_at,
        )

    @property
    def outcome(self) -> Outcome | None:
        """What became of it; None before its end."""
        return outcome_of(self.status, self.errors[-1].exception_class_path if self.errors else "")

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    Which tasks of an owner a list shows; an empty or None attribute excludes none.

    Times are aware: `enqueued_after` <= time of enqueueing < `enqueued_before`. `filters` are names
    of `list_filters` with the texts of their parameters.
    """

    statuses: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    queue_name: str | None = None
    enqueued_after: datetime | None = None
    enqueued_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """
    The waiting and running tasks in one queue of a backend.

    Attributes:
        ready: the number of tasks that wait for a worker.
        deferred: the number of tasks that wait for their `run_after`.
        oldest_ready_age_seconds: how long the oldest ready task has been ready; None if none is
            ready.

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
    A position between two tasks of a list, and the side to read: `<` is the tasks older than `id`.

    A position stays the same while tasks are added and removed around it.
    """

    side: Side
    id: str

    @property
    def leads_to_older(self) -> bool:
        return self.side in {"<", "<="}

    @property
    def opposite(self) -> "Position":
        """The same position, to read its other side."""
        return Position(_OTHER_SIDE[self.side], self.id)


@dataclass(frozen=True, slots=True)
class Slice:
    """
    The tasks that a store found from a position of a list.

    Attributes:
        tasks: the nearest first; they are loaded while they are iterated over.
        reached: the id to continue from; None at the end of the list.

    """

    tasks: Iterable[StoredTask]
    reached: str | None
