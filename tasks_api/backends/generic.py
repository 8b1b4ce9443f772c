"""The adapter for any backend: it uses only Django's interface of backends."""

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import Any

from django.core.checks import CheckMessage
from django.db.models import QuerySet
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import DEFAULT_TASK_PRIORITY
from django.tasks.exceptions import TaskResultDoesNotExist

from tasks_api.backends.base import (
    NO_LIMITS,
    Call,
    Failure,
    Limits,
    Position,
    QueueFigures,
    Selection,
    Slice,
    State,
    StoredTask,
)
from tasks_api.faults import Fault
from tasks_api.json_text import plain_json
from tasks_api.problems import (
    ListingNotSupported,
    NotCancellable,
    NotSupportedByBackend,
    QueuesNotSupported,
)
from tasks_api.timestamps import aware


class Adapter:
    """
    Uses only `BaseTaskBackend`; adapters of specific backends override what these can do better.

    Attributes:
        lists: whether the store can list its tasks.

    """

    lists = False

    def __init__(self, backend: BaseTaskBackend) -> None:
        self.backend = backend

    @property
    def store(self) -> Hashable:
        """Identifies this backend's store, which several aliases may share."""
        return self.backend.alias

    @property
    def keeps_results(self) -> bool:
        return self.backend.supports_get_result

    @property
    def ids_carry_owner(self) -> bool:
        """Whether `tasks_api.ids` generates the ids of this backend's tasks."""
        return False

    @property
    def database(self) -> str | None:
        """The alias of the database that stores the tasks in transactions, if there is one."""
        return None

    @property
    def applies_limits(self) -> bool:
        """Whether tasks have policies, and their calls can say what `Limits` has."""
        return False

    @property
    def is_observable(self) -> bool:
        """Whether the store can count its queues, and has the workers' rows."""
        return False

    def may_have_issued(self, identifier: str) -> bool:
        """Return whether this backend may have issued the id; the form of its ids is unknown here."""
        return True

    def refusals(
        self,
        task: "Task[..., Any]",
        queue_name: str | None,
        priority: int | None,
        run_after: datetime | None,
        limits: Limits = NO_LIMITS,
    ) -> list[Fault]:
        """Return the faults of a call that this backend does not support; None stands for no value."""
        faults = []
        if not self.backend.supports_async_task and iscoroutinefunction(task.func):
            detail = "The task is asynchronous; its backend does not support that."
            faults.append(Fault("async_task_not_supported", detail, pointer="/task"))
        queues = self.backend.queues
        if queue_name is not None and queues and queue_name not in queues:
            detail = f"Should be one of the backend's queues: {', '.join(sorted(queues))}."
            faults.append(Fault("unknown_queue", detail, pointer="/queue_name"))
        if priority not in {None, DEFAULT_TASK_PRIORITY} and not self.backend.supports_priority:
            detail = "The task's backend does not support priorities."
            faults.append(Fault("priority_not_supported", detail, pointer="/priority"))
        if run_after is not None and not self.backend.supports_defer:
            detail = "The task's backend does not support deferred tasks."
            faults.append(Fault("run_after_not_supported", detail, pointer="/run_after"))
        if limits != NO_LIMITS and not self.applies_limits:
            detail = "The task's backend does not support this."
            faults += [
                Fault("limit_not_supported", detail, pointer=f"/{one.name}")
                for one in fields(limits)
                if getattr(limits, one.name) is not None
            ]
        return faults

    def enqueue(self, call: Call) -> StoredTask:
        """
        Let the backend enqueue a task.

        Raises:
            InvalidTask: the backend rejected the task.

        """
        # The arguments as sent: a task that ran immediately may have changed the backend's copies.
        stored = self.stored(call.task.enqueue(*call.args, **call.kwargs))
        return replace(stored, args=call.args, kwargs=call.kwargs)

    def enqueue_together(self, calls: Sequence[Call]) -> Iterator[StoredTask]:
        """
        Enqueue tasks within the open transaction on `database`, while they are iterated over.

        Raises:
            InvalidTask: the backend rejected the next task.

        """
        yield from map(self.enqueue, calls)

    def cancel(self, identifier: str) -> StoredTask | None:
        """
        Cancel a task unless a worker has started it; return its new state, or None if it is gone.

        A cancelled task is FAILED with `TaskCancelled`, and `task_finished` has been sent.

        Raises:
            NotSupportedByBackend: 400, this backend cannot: Django's interface has no such method.

        """
        raise NotSupportedByBackend("The task's backend does not support cancellation.")

    def request_stop(self, identifier: str) -> StoredTask | None:
        """
        Tell a task to stop if it is running; return its new state, or None if it is gone.

        Raises:
            NotCancellable: 409, whoever runs it would not look.

        """
        raise NotCancellable

    def get(self, identifier: str) -> StoredTask | None:
        """Read a task; None if there is none with this id."""
        try:
            return self.stored(self.backend.get_result(identifier))
        except TaskResultDoesNotExist:
            return None

    def pick(self, identifiers: Sequence[str]) -> Iterator[StoredTask]:
        """Read these tasks, as far as they exist, in this order, few at a time."""
        for identifier in identifiers:
            if task := self.get(identifier):
                yield task

    def states(self, identifiers: Sequence[str]) -> dict[str, State]:
        """Look at the states of these tasks, by id, as far as they exist."""
        return {task.id: task.state for task in self.pick(identifiers)}

    def walk(
        self, selection: Selection, start: Position | None, *, owner: int, limit: int
    ) -> Slice:
        """
        Read the list of an owner's tasks from a position, or from the newest task; see `lists`.

        The cost does not grow with the number of tasks in the store, so that fewer than `limit` tasks
        may be found, or none, before the end of the list.

        Raises:
            ListingNotSupported: 501, the store cannot list its tasks.

        """
        raise ListingNotSupported

    def count_queues(self) -> list[QueueFigures]:
        """
        Count waiting and running tasks by backend and queue; see `is_observable`.

        Queues without such tasks are not included. The cost grows with the number of waiting tasks,
        but not with the number of finished ones.

        Raises:
            QueuesNotSupported: 501, the store cannot count its queues.

        """
        raise QueuesNotSupported

    def count_running_elsewhere(self, limit: int) -> int:
        """
        Count the running tasks that no `Worker` row names: other workers than ours have claimed them.

        At most `limit` running tasks are looked at.
        """
        return 0

    def finished_for(self, age: timedelta, statuses: Collection[str]) -> QuerySet[Any] | None:
        """
        Select the rows of tasks that have had one of these final statuses for longer than `age`.

        None if we may not remove tasks from the store.
        """
        return None

    def rows_beside(self) -> list[QuerySet[Any]]:
        """
        Select the rows that go with the tasks, a query for each kind.

        Their primary keys are those of tasks. A row's `is_orphan` tells whether its task is gone.
        """
        return []

    def stored(self, result: "TaskResult[..., Any]") -> StoredTask:
        """Convert Django's result, so that it no longer depends on the task's code."""
        successful = result.status == TaskResultStatus.SUCCESSFUL
        return StoredTask(
            id=str(result.id),
            task_path=result.task.module_path,
            status=str(result.status),
            args=result.args,
            kwargs=result.kwargs,
            queue_name=result.task.queue_name,
            priority=result.task.priority,
            run_after=aware(result.task.run_after),
            backend=result.backend,
            enqueued_at=aware(result.enqueued_at),
            started_at=aware(result.started_at),
            last_attempted_at=aware(result.last_attempted_at),
            finished_at=aware(result.finished_at),
            worker_ids=result.worker_ids,
            return_value=plain_json(result.return_value) if successful else None,
            errors=_failures(result),
        )

    def probe(self) -> None:
        """Raise the store's error if it takes no tasks; here there is nothing to check."""

    def check(self) -> list[CheckMessage]:
        """Return the system check messages on the configuration of this backend."""
        return []


def _failures(result: "TaskResult[..., Any]") -> list[Failure]:
    """Return the errors; of the last one, the result says when it was, and whose."""
    failures = [
        Failure(exception_class_path=error.exception_class_path, traceback=error.traceback)
        for error in result.errors
    ]
    if failures:
        failures[-1] = replace(
            failures[-1],
            attempt=len(result.worker_ids) or None,
            failed_at=aware(result.finished_at),
            worker_id=result.worker_ids[-1] if result.worker_ids else None,
        )
    return failures
