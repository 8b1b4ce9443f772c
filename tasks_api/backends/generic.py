"""The adapter for any backend: what Django's interface of backends gives, and no more."""

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import replace
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
    Call,
    Failure,
    Position,
    QueueFigures,
    Selection,
    Slice,
    StoredTask,
)
from tasks_api.faults import Fault
from tasks_api.problems import ListingNotSupported, NotSupportedByBackend, QueuesNotSupported
from tasks_api.timestamps import aware


class Adapter:
    """
    Does everything by `BaseTaskBackend` alone; other kinds override what they know better.

    Attributes:
        lists: whether the store can tell which tasks it holds.

    """

    lists = False

    def __init__(self, backend: BaseTaskBackend) -> None:
        self.backend = backend

    @property
    def store(self) -> Hashable:
        """What tells this backend's store from that of another alias."""
        return self.backend.alias

    @property
    def keeps_results(self) -> bool:
        return self.backend.supports_get_result

    @property
    def ids_carry_owner(self) -> bool:
        """Whether `tasks_api.ids` draws the ids of this backend's tasks."""
        return False

    @property
    def database(self) -> str | None:
        """The alias of the database that tasks are written to in a transaction, if it is one."""
        return None

    @property
    def is_observable(self) -> bool:
        """Whether the store tells what is in its queues, and holds the workers' rows."""
        return False

    def draws(self, identifier: str) -> bool:
        """Tell whether this backend may have given out such an id; nothing is known of them here."""
        return True

    def refusals(
        self,
        task: "Task[..., Any]",
        queue_name: str | None,
        priority: int | None,
        run_after: datetime | None,
    ) -> list[Fault]:
        """Say what of a call this backend cannot do; None is what a call left out."""
        faults = []
        if iscoroutinefunction(task.func) and not self.backend.supports_async_task:
            detail = "The task is asynchronous, and its backend runs none of these."
            faults.append(Fault("async_task_not_supported", detail, pointer="/task"))
        queues = self.backend.queues
        if queue_name is not None and queues and queue_name not in queues:
            detail = f"Should be a queue of the task's backend: {', '.join(sorted(queues))}."
            faults.append(Fault("unknown_queue", detail, pointer="/queue_name"))
        if priority not in {None, DEFAULT_TASK_PRIORITY} and not self.backend.supports_priority:
            detail = "The task's backend knows no priorities."
            faults.append(Fault("priority_not_supported", detail, pointer="/priority"))
        if run_after is not None and not self.backend.supports_defer:
            detail = "The task's backend cannot defer."
            faults.append(Fault("run_after_not_supported", detail, pointer="/run_after"))
        return faults

    def enqueue(self, call: Call) -> StoredTask:
        """
        Let the backend enqueue a task.

        Raises:
            InvalidTask: the backend has a rule of its own that the task breaks.

        """
        # As they were sent: a task that ran at once may have changed the copies it was given.
        stored = self.stored(call.task.enqueue(*call.args, **call.kwargs))
        return replace(stored, args=call.args, kwargs=call.kwargs)

    def enqueue_together(self, calls: Sequence[Call]) -> Iterator[StoredTask]:
        """
        Enqueue tasks within the transaction that is open on `database`, while they are iterated over.

        Raises:
            InvalidTask: the backend has a rule of its own that the next task breaks.

        """
        yield from map(self.enqueue, calls)

    def cancel(self, identifier: str) -> StoredTask | None:
        """
        End a task unless a worker has started it; return it as it is then, or None if it is gone.

        It is FAILED with `TaskCancelled` then, and `task_finished` has been sent.

        Raises:
            NotSupportedByBackend: 400, this backend cannot: Django's interface knows no such thing.

        """
        raise NotSupportedByBackend("The task's backend cannot cancel a task.")

    def get(self, identifier: str) -> StoredTask | None:
        """Read a task, or None where there is none of this id."""
        try:
            return self.stored(self.backend.get_result(identifier))
        except TaskResultDoesNotExist:
            return None

    def pick(self, identifiers: Sequence[str]) -> Iterator[StoredTask]:
        """Read those of these tasks that there are, in this order, few at a time."""
        for identifier in identifiers:
            if task := self.get(identifier):
                yield task

    def walk(
        self, selection: Selection, start: Position | None, *, owner: int, limit: int
    ) -> Slice:
        """
        Walk the list of an owner's tasks from a position, or from the newest one; see `lists`.

        What it takes does not grow with the number of tasks in the store, so that a walk may end
        with fewer than `limit` tasks, or with none, long before it has come to the end of the list.

        Raises:
            ListingNotSupported: 501, the store cannot tell which tasks it holds.

        """
        raise ListingNotSupported

    def count_queues(self) -> list[QueueFigures]:
        """
        Count what waits and runs, by backend and queue; see `is_observable`.

        Only queues that hold such a task are among them. What it takes grows with the number of
        tasks that wait, but not with that of the finished ones.

        Raises:
            QueuesNotSupported: 501, the store cannot tell.

        """
        raise QueuesNotSupported

    def finished_for(self, age: timedelta, statuses: Collection[str]) -> QuerySet[Any] | None:
        """
        Select the rows of tasks that have been in one of these final states for longer than that.

        None where the store is not ours to remove anything from.
        """
        return None

    def stored(self, result: "TaskResult[..., Any]") -> StoredTask:
        """Put Django's result into the terms that outlive the task's code."""
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
            return_value=result.return_value if successful else None,
            errors=[
                Failure(exception_class_path=error.exception_class_path, traceback=error.traceback)
                for error in result.errors
            ],
        )

    def probe(self) -> None:
        """Raise what a request would meet when the store cannot be reached; nothing to ask here."""

    def renew_connections(self, error: Exception) -> None:
        """Let go of connections that may be dead, after one has failed; there are none here."""

    def check(self) -> list[CheckMessage]:
        """Return the system check messages on how this backend is set up."""
        return []
