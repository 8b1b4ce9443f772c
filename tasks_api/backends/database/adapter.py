"""The adapter for django-tasks-db, which on the HTTP side only this module, `rows` and `storing` import."""

import logging
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.checks import CheckMessage, Error
from django.db import router, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.tasks import Task, TaskResultStatus
from django.tasks.exceptions import InvalidTask
from django.tasks.signals import task_finished
from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.backends.base import (
    NO_LIMITS,
    Call,
    Limits,
    Position,
    QueueFigures,
    Selection,
    Slice,
    State,
    StoredTask,
)
from tasks_api.backends.database.clock import database_now, knows_clock_of, now_to_write
from tasks_api.backends.database.counting import figures_of, running_elsewhere
from tasks_api.backends.database.keyset import Walk
from tasks_api.backends.database.limits import with_limits
from tasks_api.backends.database.readiness import check_writable
from tasks_api.backends.database.rows import (
    RUN,
    key_of,
    rows_of,
    select_row,
    states_of,
    stored_task,
)
from tasks_api.backends.database.stopping import request_stop
from tasks_api.backends.database.storing import store, stores_as_upstream
from tasks_api.backends.generic import Adapter
from tasks_api.exceptions import TaskCancelled
from tasks_api.faults import Fault
from tasks_api.ids import new_task_id, next_id_belongs_to
from tasks_api.models import TaskRun
from tasks_api.timestamps import as_stored

logger = logging.getLogger("tasks_api.backends")

MAX_QUEUE_NAME_LENGTH = DBTaskResult._meta.get_field("queue_name").max_length or 0


class DatabaseAdapter(Adapter):
    """Reads the rows of django-tasks-db."""

    lists = True

    @property
    def store(self) -> Hashable:
        return DBTaskResult

    @property
    def ids_carry_owner(self) -> bool:
        return getattr(self.backend, "id_function", None) is new_task_id

    @property
    def database(self) -> str | None:
        return router.db_for_write(DBTaskResult)

    @property
    def is_observable(self) -> bool:
        return knows_clock_of(router.db_for_write(DBTaskResult))

    @property
    def applies_limits(self) -> bool:
        # Our worker runs on the same databases, and keeps what it knows of attempts beside the tasks.
        return self.is_observable and RUN.is_with(DBTaskResult)

    def refusals(
        self,
        task: "Task[..., Any]",
        queue_name: str | None,
        priority: int | None,
        run_after: datetime | None,
        limits: Limits = NO_LIMITS,
    ) -> list[Fault]:
        faults = super().refusals(task, queue_name, priority, run_after, limits)
        takes_any_queue = not self.backend.queues
        if takes_any_queue and len(queue_name or "") > MAX_QUEUE_NAME_LENGTH:
            detail = f"Should have at most {MAX_QUEUE_NAME_LENGTH} characters."
            faults.append(Fault("string_too_long", detail, pointer="/queue_name"))
        # This time means "not deferred" in the column: the task would run immediately.
        if run_after is not None and as_stored(run_after) >= get_date_max():
            detail = "Should be before the year 9999."
            faults.append(Fault("run_after_too_late", detail, pointer="/run_after"))
        return faults

    def enqueue(self, call: Call) -> StoredTask:
        if stores_as_upstream(self.backend):
            return next(store(self.backend, [call]))
        with next_id_belongs_to(call.owner):
            if call.limits == NO_LIMITS:
                return super().enqueue(call)
            with transaction.atomic(using=self.database):
                return self._with_limits(super().enqueue(call), call.limits)

    def enqueue_together(self, calls: Sequence[Call]) -> Iterator[StoredTask]:
        if stores_as_upstream(self.backend):
            return store(self.backend, calls)
        return super().enqueue_together(calls)

    def _with_limits(self, task: StoredTask, limits: Limits) -> StoredTask:
        """Add to a new row what the backend's own `enqueue()` knows nothing of."""
        rows = DBTaskResult.objects.using(self.database).filter(pk=task.id)
        for args_kwargs in rows.values_list("args_kwargs", flat=True):
            rows.update(args_kwargs=with_limits(args_kwargs, limits))
            return replace(task, limits=limits)
        raise InvalidTask("The backend has stored no row, which would say when the task expires.")

    def cancel(self, identifier: str) -> StoredTask | None:
        key = UUID(identifier)
        ours = DBTaskResult.objects.using(self.database).filter(pk=key)
        # A worker's claim checks the status too, so only one of the two succeeds.
        cancelled = ours.filter(status=TaskResultStatus.READY).update(
            status=TaskResultStatus.FAILED,
            finished_at=now_to_write(ours.db),
            exception_class_path=TaskCancelled.class_path(),
            traceback=str(TaskCancelled()),
        )
        row = select_row(key, using=ours.db)
        if row is None:
            return None
        if cancelled:
            _announce_finished(_instance(row, using=ours.db))
        return stored_task(row)

    def request_stop(self, identifier: str) -> StoredTask | None:
        if not self.applies_limits:
            return super().request_stop(identifier)
        return request_stop(UUID(identifier), using=self.database)

    def get(self, identifier: str) -> StoredTask | None:
        key = key_of(identifier)
        if key is None:
            return None
        row = select_row(key)
        return None if row is None else stored_task(row)

    def pick(self, identifiers: Sequence[str]) -> Iterator[StoredTask]:
        if keys := [key for key in map(key_of, identifiers) if key]:
            walk = Walk.of(DBTaskResult.objects.all(), keys)
            yield from map(stored_task, walk.load(rows_of))

    def states(self, identifiers: Sequence[str]) -> dict[str, State]:
        return states_of([key for key in map(key_of, identifiers) if key])

    def walk(
        self, selection: Selection, start: Position | None, *, owner: int, limit: int
    ) -> Slice:
        rows = DBTaskResult.objects.all()
        walk = Walk.along(rows, selection, start, owner=owner, limit=limit)
        reached = None if walk.reached is None else str(walk.reached)
        return Slice(map(stored_task, walk.load(rows_of)), reached)

    def count_queues(self) -> list[QueueFigures]:
        rows = DBTaskResult.objects.using(self.database)
        return figures_of(rows, undeferred=get_date_max())

    def count_running_elsewhere(self, limit: int) -> int:
        return running_elsewhere(DBTaskResult.objects.using(self.database), limit)

    def finished_for(self, age: timedelta, statuses: Collection[str]) -> QuerySet[Any] | None:
        if not self.is_observable:
            return None
        rows = DBTaskResult.objects.using(self.database)
        finished = rows.filter(finished_at__lt=as_stored(database_now(rows.db) - age))
        # Excludes the other statuses, because SQLite would otherwise use the index of the status and sort.
        others = [status for status in TaskResultStatus.values if status not in statuses]
        return finished.exclude(status__in=others)

    def rows_beside(self) -> list[QuerySet[Any]]:
        if not self.applies_limits:
            return []
        tasks = DBTaskResult.objects.using(self.database).filter(pk=OuterRef("pk"))
        runs = TaskRun.objects.using(self.database)
        return [runs.annotate(is_orphan=~Exists(tasks)).only("pk")]

    def probe(self) -> None:
        DBTaskResult.objects.exists()
        check_writable(router.db_for_write(DBTaskResult))

    def check(self) -> list[CheckMessage]:
        messages: list[CheckMessage] = []
        if any(len(queue) > MAX_QUEUE_NAME_LENGTH for queue in self.backend.queues):
            messages.append(
                Error(
                    f"The task backend {self.backend.alias!r} has a queue with a name that is too long.",
                    hint=f"Use at most {MAX_QUEUE_NAME_LENGTH} characters.",
                    id="tasks_api.E007",
                )
            )
        if self.ids_carry_owner:
            return messages
        return [
            *messages,
            Error(
                f"The task backend {self.backend.alias!r} generates ids that do not contain the task's owner.",
                hint=(
                    f"Set TASKS[{self.backend.alias!r}]['OPTIONS']['id_function'] to "
                    "'tasks_api.ids.new_task_id'."
                ),
                id="tasks_api.E002",
            ),
        ]


def _instance(row: dict[str, Any], *, using: str) -> "DBTaskResult[..., Any]":
    names = [one.attname for one in DBTaskResult._meta.concrete_fields if one.attname in row]
    instance: DBTaskResult[..., Any]
    instance = DBTaskResult.from_db(using, names, [row[name] for name in names])
    return instance


def _announce_finished(row: "DBTaskResult[..., Any]") -> None:
    """Send `task_finished`; the task stays cancelled if a receiver fails or its code was removed."""
    try:
        result = row.task_result
        task_finished.send(type(result.task.get_backend()), task_result=result)
    except Exception:
        logger.exception("Cancelled task %s: a receiver of task_finished failed", row.pk)
