"""
The adapter for django-tasks-db, and the only module of the HTTP side that imports it.

It reads the columns of a row, never its `task_result`: that imports the task's module, and so fails
on a task that was renamed or removed.
"""

from collections.abc import Collection, Hashable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.checks import CheckMessage, Error
from django.db import connections, router
from django.tasks import Task, TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.backends.base import Failure, Position, Selection, StoredTask, Stretch
from tasks_api.backends.generic import Adapter
from tasks_api.backends.keyset import Walk
from tasks_api.backends.prepared import SelectByKey
from tasks_api.ids import new_task_id, next_id_belongs_to
from tasks_api.problems import Fault
from tasks_api.timestamps import as_stored, aware

MAX_QUEUE_NAME_LENGTH = DBTaskResult._meta.get_field("queue_name").max_length or 0

_COLUMNS = (
    "id",
    "task_path",
    "status",
    "args_kwargs",
    "queue_name",
    "priority",
    "run_after",
    "backend_name",
    "enqueued_at",
    "started_at",
    "finished_at",
    "worker_ids",
    "return_value",
    "exception_class_path",
    "traceback",
)

_select = SelectByKey(DBTaskResult, _COLUMNS)


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

    def refusals(
        self,
        task: "Task[..., Any]",
        queue_name: str | None,
        priority: int | None,
        run_after: datetime | None,
    ) -> list[Fault]:
        faults = super().refusals(task, queue_name, priority, run_after)
        takes_any_queue = not self.backend.queues
        if takes_any_queue and len(queue_name or "") > MAX_QUEUE_NAME_LENGTH:
            detail = f"Should have at most {MAX_QUEUE_NAME_LENGTH} characters."
            faults.append(Fault("queue_name_too_long", detail, pointer="/queue_name"))
        # This moment stands for "not deferred" in the column: the task would run at once.
        if run_after is not None and as_stored(run_after) >= get_date_max():
            detail = "Should lie before the year 9999."
            faults.append(Fault("run_after_too_late", detail, pointer="/run_after"))
        return faults

    def enqueue(
        self, task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any], *, owner: int
    ) -> StoredTask:
        with next_id_belongs_to(owner):
            return super().enqueue(task, args, kwargs, owner=owner)

    def get(self, identifier: str) -> StoredTask | None:
        key = _key_of(identifier)
        if key is None:
            return None
        row = _select(key)
        return None if row is None else _stored(row)

    def pick(self, identifiers: Collection[str]) -> Iterator[StoredTask]:
        if keys := [key for key in map(_key_of, identifiers) if key]:
            walk = Walk.of(DBTaskResult.objects.all(), keys)
            yield from map(_stored, walk.load(*_COLUMNS))

    def walk(
        self, selection: Selection, start: Position | None, *, owner: int, limit: int
    ) -> Stretch:
        rows = DBTaskResult.objects.all()
        walk = Walk.along(rows, selection, start, owner=owner, limit=limit)
        reached = None if walk.reached is None else str(walk.reached)
        return Stretch(map(_stored, walk.load(*_COLUMNS)), reached)

    def probe(self) -> None:
        DBTaskResult.objects.exists()

    def renew_connections(self, error: Exception) -> None:
        """After an outage each idle connection of the pool would fail one request more."""
        state = getattr(error.__cause__, "sqlstate", None) or ""
        is_lost = not state or state.startswith(("08", "57P"))
        pool = getattr(connections[DBTaskResult.objects.db], "pool", None)
        # A pool that is merely busy keeps its connections, which work.
        if pool is not None and is_lost and type(error.__cause__).__name__ != "PoolTimeout":
            pool.drain()

    def check(self) -> list[CheckMessage]:
        messages: list[CheckMessage] = []
        if any(len(queue) > MAX_QUEUE_NAME_LENGTH for queue in self.backend.queues):
            messages.append(
                Error(
                    f"The task backend {self.backend.alias!r} has a queue whose name is too long.",
                    hint=f"Give it at most {MAX_QUEUE_NAME_LENGTH} characters.",
                    id="tasks_api.E007",
                )
            )
        if self.ids_carry_owner:
            return messages
        return [
            *messages,
            Error(
                f"The task backend {self.backend.alias!r} gives out ids that know no owner.",
                hint=(
                    f"Set TASKS[{self.backend.alias!r}]['OPTIONS']['id_function'] to "
                    "'tasks_api.ids.new_task_id'."
                ),
                id="tasks_api.E002",
            ),
        ]


def _key_of(identifier: str) -> UUID | None:
    try:
        key = UUID(identifier)
    except ValueError:
        return None
    # A task has one URL: no other spelling of its id.
    return key if str(key) == identifier else None


def _stored(column: dict[str, Any]) -> StoredTask:
    status = column["status"]
    errors = []
    if status == TaskResultStatus.FAILED:
        errors.append(
            Failure(
                exception_class_path=column["exception_class_path"], traceback=column["traceback"]
            )
        )
    started_at = aware(column["started_at"])
    return StoredTask(
        id=str(column["id"]),
        task_path=column["task_path"],
        status=status,
        args=column["args_kwargs"]["args"],
        kwargs=column["args_kwargs"]["kwargs"],
        queue_name=column["queue_name"],
        priority=column["priority"],
        run_after=None if column["run_after"] == get_date_max() else aware(column["run_after"]),
        backend=column["backend_name"],
        enqueued_at=aware(column["enqueued_at"]),
        started_at=started_at,
        # The row keeps one moment for both, as the backend's own result does.
        last_attempted_at=started_at,
        finished_at=aware(column["finished_at"]),
        worker_ids=column["worker_ids"],
        return_value=column["return_value"] if status == TaskResultStatus.SUCCESSFUL else None,
        errors=errors,
    )
