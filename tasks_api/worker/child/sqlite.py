"""The changes of state on SQLite, each in one transaction that excludes other writers."""

from datetime import datetime
from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django_tasks_db.models import DBTaskResultQuerySet
from django_tasks_db.utils import exclusive_transaction

from tasks_api.worker.child.transitions import Commit, Transitions
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict

# `json()` evens out how the same list is spelled.
FINISH = """UPDATE {tasks} SET finished_at = %s, status = %s, return_value = %s,
    exception_class_path = %s, traceback = %s
WHERE id = %s AND status = 'RUNNING' AND json(worker_ids) = json(%s)"""
SET_CURRENT = "UPDATE {workers} SET current_task = %s WHERE worker_id = %s"
CLAIM = """UPDATE {tasks} SET status = 'RUNNING', started_at = %s,
    worker_ids = json_insert(worker_ids, '$[#]', %s)
WHERE id = %s RETURNING {columns}"""


class SQLiteTransitions(Transitions):
    """The changes of state that one worker makes on SQLite."""

    def __init__(self, alias: str, worker_id: str, ready: DBTaskResultQuerySet) -> None:
        super().__init__(alias, worker_id, ready)
        names = {"tasks": self._tasks, "workers": self._workers, "columns": self._columns}
        self._finish = FINISH.format(**names)
        self._set_current = SET_CURRENT.format(**names)
        self._claim = CLAIM.format(**names)

    def commit(
        self, finished: TaskRow | None, verdict: Verdict | None, *, claim_next: bool
    ) -> Commit:
        connection = connections[self.alias]
        finished_at: datetime | None = None
        row: Any = None
        with exclusive_transaction(self.alias), connection.cursor() as cursor:
            # By the same clock as `now_to_write()`, and after waiting for other writers: no task
            # starts before it was enqueued.
            now = timezone.now()
            stored_now = connection.ops.adapt_datetimefield_value(now)
            if finished is not None and verdict is not None:
                params = [stored_now, *self._verdict_params(finished, verdict)]
                cursor.execute(self._finish, params)
                finished_at = now if cursor.rowcount else None
            ready = self._first_ready(cursor) if claim_next else None
            cursor.execute(self._set_current, [ready, self.worker_id])
            is_registered = cursor.rowcount == 1
            if ready is not None and is_registered:
                cursor.execute(self._claim, [stored_now, self.worker_id, ready])
                row = cursor.fetchone()
        return Commit(
            finished_at=finished_at,
            is_registered=is_registered,
            load_claimed=(lambda: self._read(row)) if row else None,
        )

    def _first_ready(self, cursor: CursorWrapper) -> str | None:
        cursor.execute(self._look, self._look_params)
        found = cursor.fetchone()
        return found[0] if found else None
