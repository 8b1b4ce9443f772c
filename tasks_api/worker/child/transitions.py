"""
Each change of a task's state by its worker: one commit, and a compare-and-set.

Finishing one task and claiming the next are one commit, so that a result is durable before the next
task starts, and a waiting queue costs one commit for each task. The worker's own row names the task
in the same commit: whoever finds the worker dead finds the task with it.

Which tasks are ready, and in which order, are django-tasks-db's rules, compiled from its model.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models import Q
from django.db.models.functions import Now
from django.tasks import TaskResultStatus, task_backends
from django_tasks_db.models import DBTaskResult, DBTaskResultQuerySet, get_date_max
from django_tasks_db.utils import exclusive_transaction

from tasks_api.backends.base import Limits
from tasks_api.backends.database.expiry import HAS_NOT_EXPIRED
from tasks_api.models import Worker
from tasks_api.worker import attempts
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """
    What one commit did.

    Attributes:
        finished_at: when the task was finished; None where it was no longer this worker's.
        is_registered: whether the worker still has its row; without one, nothing was claimed.
        load_claimed: reads the task that was claimed; None where there was none.

    """

    finished_at: datetime | None
    is_registered: bool
    load_claimed: Callable[[], TaskRow] | None


class PutBack(Enum):
    """What became of making a task READY again: refused is what has nothing to wait for."""

    DONE = auto()
    REFUSED = auto()
    SUPERSEDED = auto()


class _StoredNow(Now):
    """The database's time as the project stores moments: with `USE_TZ` off, as local time."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        if settings.USE_TZ:
            return super().as_sqlite(compiler, connection, **context)
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW', 'LOCALTIME')"
        return self.as_sql(compiler, connection, template=template, **context)


def ready_tasks(
    backend_name: str, queue_names: Sequence[str], excluded_queue_names: Sequence[str]
) -> DBTaskResultQuerySet:
    """
    Select what is ready for a worker of this backend; the other known ones are left alone.

    A task of a backend that is in nobody's settings is taken as well, to fail readably: it would
    otherwise wait for ever. `run_after` is compared with the database's clock. What has expired is left to
    `parent/expiring.py`.
    """
    tasks = DBTaskResult.objects.filter(status=TaskResultStatus.READY).filter(
        Q(run_after=get_date_max()) | Q(run_after__lte=_StoredNow())
    )
    if others := [alias for alias in task_backends.settings if alias != backend_name]:
        tasks = tasks.exclude(backend_name__in=others)
    if "*" not in queue_names:
        tasks = tasks.filter(queue_name__in=list(queue_names))
    if excluded_queue_names:
        tasks = tasks.exclude(queue_name__in=list(excluded_queue_names))
    return tasks.filter(HAS_NOT_EXPIRED)


class Transitions(ABC):
    """
    The changes of state that one worker makes, in the SQL of one kind of database.

    Written by hand: building these queries again for each task takes longer than running them.
    """

    def __init__(self, alias: str, worker_id: str, ready: DBTaskResultQuerySet) -> None:
        self.alias = alias
        self.worker_id = worker_id
        self._fields = DBTaskResult._meta.concrete_fields
        table = DBTaskResult._meta.db_table
        self._compiler = ready.using(alias).query.get_compiler(using=alias)
        self._converters = self._compiler.get_converters(
            [field.get_col(table) for field in self._fields]
        )
        first = ready.values("id")[:1].query.get_compiler(using=alias)
        look, self._look_params = first.as_sql()
        self._look = str(look)
        quote = connections[alias].ops.quote_name
        self._tasks, self._workers = quote(table), quote(Worker._meta.db_table)
        self._columns = ", ".join(quote(str(field.column)) for field in self._fields)

    @abstractmethod
    def commit(
        self, finished: TaskRow | None, verdict: Verdict | None, *, claim_next: bool
    ) -> Commit:
        """Finish a task with its verdict and claim the next one; either may be left out."""

    def put_back(self, task: TaskRow, limits: Limits, verdict: Verdict, pause: float) -> PutBack:
        """Make a task READY again after a failed attempt, as `attempts.put_back()` does."""
        with exclusive_transaction(self.alias):
            rows = DBTaskResult.objects.using(self.alias).running().filter(pk=task.pk)
            locked = rows.only("worker_ids").select_for_update().first()
            if locked is None or locked.worker_ids != task.worker_ids:
                return PutBack.SUPERSEDED
            if not attempts.put_back(self.alias, task, limits, verdict, pause):
                return PutBack.REFUSED
            Worker.objects.using(self.alias).filter(pk=self.worker_id).update(current_task=None)
        return PutBack.DONE

    def is_any_ready(self) -> bool:
        """Look without taking a lock."""
        with connections[self.alias].cursor() as cursor:
            cursor.execute(self._look, self._look_params)
            return cursor.fetchone() is not None

    def current_task(self) -> UUID | None:
        """
        Read from the worker's row which task is its own.

        Raises:
            Worker.DoesNotExist: the worker was declared lost.

        """
        return Worker.objects.using(self.alias).get(pk=self.worker_id).current_task

    def load(self, task_id: UUID) -> TaskRow:
        return DBTaskResult.objects.using(self.alias).get(pk=task_id)

    def load_unread(self, task_id: UUID) -> TaskRow:
        """Load a task whose arguments cannot be read: no more than its end needs."""
        tasks = DBTaskResult.objects.using(self.alias)
        return tasks.only("task_path", "worker_ids", "status").get(pk=task_id)

    def finished_at(self, task: TaskRow) -> datetime | None:
        """Read when this worker finished the task, after an answer of the database was lost."""
        ours = DBTaskResult.objects.using(self.alias).finished().filter(pk=task.pk)
        return ours.filter(worker_ids=task.worker_ids).values_list("finished_at", flat=True).first()

    def _read(self, row: Sequence[Any]) -> TaskRow:
        (values,) = self._compiler.apply_converters([list(row)], self._converters)
        return DBTaskResult.from_db(self.alias, [field.attname for field in self._fields], values)

    def _verdict_params(self, task: TaskRow, verdict: Verdict) -> list[Any]:
        """Give the parameters that end an UPDATE of a finished task, its identity last."""
        task_id = self._fields[0].get_db_prep_value(task.pk, connections[self.alias])
        return [
            verdict.status,
            verdict.return_value_json,
            verdict.exception_class_path,
            verdict.traceback,
            task_id,
            json.dumps(task.worker_ids),
        ]
