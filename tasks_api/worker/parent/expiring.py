"""The chore that ends tasks that have expired before a worker has begun them."""

from typing import Any

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

from tasks_api.backends.database.clock import now_to_write
from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.backends.database.expiry import EXPIRES_AT, HAS_EXPIRED
from tasks_api.exceptions import TaskExpired
from tasks_api.worker import journal
from tasks_api.worker.announcing import send_task_finished
from tasks_api.worker.connection import answer_seconds
from tasks_api.worker.parent.chores import Chore, Rest
from tasks_api.worker.task_row import TaskRow

MAX_AT_ONCE = 100


def _end_expired(alias: str, rest: Rest) -> None:
    while tasks := _end_some(alias):
        for task in tasks:
            journal.task_is_expired(task)
            send_task_finished(task)
        if rest(0):
            return


def _end_some(alias: str) -> list[TaskRow]:
    """End some expired tasks in one commit; several workers may do so, each for others."""
    tasks: Any = DBTaskResult.objects.using(alias)
    expired = tasks.filter(HAS_EXPIRED).order_by(EXPIRES_AT)
    with database_answers_within(answer_seconds()):
        # First without a lock, which on SQLite would be one of the whole database.
        if not expired.exists():
            return []
        with exclusive_transaction(alias):
            locked = expired.select_for_update(skip_locked=True).values_list("pk", flat=True)
            keys = list(locked[:MAX_AT_ONCE])
            tasks.filter(pk__in=keys).update(
                status=TaskResultStatus.FAILED,
                finished_at=now_to_write(alias),
                exception_class_path=TaskExpired.class_path(),
                traceback=str(TaskExpired()),
            )
        # Arguments that cannot be read keep the end of no other task from being told.
        return list(tasks.filter(pk__in=keys).defer("args_kwargs"))


EXPIRE = Chore(name="expire", every=5, work=_end_expired, one_worker_of_all=False)
