"""
Ends the tasks of workers that are gone: any worker may, and one alone does.

Never waits for a lock. A row that is locked is being written by somebody, perhaps by the very worker
that counts as lost; the next attempt sees what came of it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform
from django.tasks import TaskResultStatus
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult, DBTaskResultQuerySet
from django_tasks_db.utils import exclusive_transaction

from tasks_api.backends.base import Limits
from tasks_api.backends.database.clock import now_to_write
from tasks_api.backends.database.limits import MEMBER, limits_in
from tasks_api.exceptions import TaskEnded, WorkerLost
from tasks_api.models import Worker
from tasks_api.worker import attempts, journal, verdicts
from tasks_api.worker.task_row import TaskRow


@dataclass(frozen=True, slots=True)
class Loss:
    """
    Why a worker is gone.

    Attributes:
        ended: returns what the task with this id has failed with, if not with `WorkerLost`.

    """

    reason: str
    ended: Callable[[UUID], TaskEnded | None] | None = None

    def error_of(self, task: TaskRow, worker: Worker) -> TaskEnded:
        """Return what the task of the worker has failed with."""
        known = self.ended(task.pk) if self.ended is not None else None
        return known or WorkerLost(
            f"{WorkerLost()} Worker {worker.pk} on {worker.hostname}: {self.reason}."
        )


def end_lost_worker(
    alias: str,
    worker_id: str,
    loss: Loss,
    *,
    announce: Callable[[str, UUID], object],
    unseen_since: datetime | None = None,
) -> bool:
    """
    Remove a lost worker's row and end its task in one commit; tell whether the row is gone.

    If not, it is to be tried again, or the worker was seen later than `unseen_since`, which a caller
    leaves out who knows that the process is gone. `announce` is called with the database's alias and
    the id of a task that has failed so.

    Raises:
        OperationalError: the worker's task is locked.

    """
    rows = Worker.objects.using(alias).filter(pk=worker_id)
    _import_task_of(rows, alias)
    with exclusive_transaction(alias):
        worker = rows.select_for_update(skip_locked=True).first()
        if worker is not None and unseen_since not in {None, worker.last_seen_at}:
            return False
        task = None
        if worker is not None:
            task = _end_task(alias, worker, loss)
            worker.delete()
    if task is not None:
        journal.task_is_lost(task, worker_id, loss.reason)
        if task.status == TaskResultStatus.FAILED:
            announce(alias, task.pk)
    return worker is not None or not rows.exists()


def _import_task_of(workers: QuerySet[Worker], alias: str) -> None:
    """Import the module of the worker's task, whose functions say its policy; without a lock."""
    tasks = DBTaskResult.objects.using(alias).filter(pk__in=workers.values("current_task"))
    for path in tasks.values_list("task_path", flat=True):
        # Code that is gone, or broken, says no policy.
        with suppress(BaseException):
            import_string(path)


def _end_task(alias: str, worker: Worker, loss: Loss) -> TaskRow | None:
    """Fail the task, or put it back where that is allowed, and leave alone what is not this worker's."""
    if worker.current_task is None:
        return None
    tasks = DBTaskResult.objects.using(alias).running().filter(pk=worker.current_task)
    # Not its arguments: they may be what cannot be read.
    columns = tasks.only(
        "status", "task_path", "worker_ids", "started_at", "run_after", "exception_class_path"
    )
    task = columns.select_for_update(nowait=True).first()
    if task is None or task.worker_ids[-1:] != [worker.pk]:
        return None
    verdict = verdicts.failed(loss.error_of(task, worker))
    limits = _limits(tasks)
    pause = attempts.pause_before_next(task, limits, verdict)
    if pause is not None and attempts.put_back(alias, task, limits, verdict, pause):
        return task
    task.status = verdict.status
    task.finished_at = cast("Any", now_to_write(alias))
    task.exception_class_path = verdict.exception_class_path
    task.traceback = verdict.traceback
    task.save(update_fields=["status", "finished_at", "exception_class_path", "traceback"])
    return task


def _limits(tasks: DBTaskResultQuerySet) -> Limits:
    said = tasks.values_list(KeyTransform(MEMBER, "args_kwargs"), flat=True).first()
    return limits_in({MEMBER: said})
