"""A claimed task, in the form in which django-tasks-db's `Worker.run_task()` takes one."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.tasks import Task
from django_tasks_db.backend import TaskResult

from tasks_api.exceptions import TransactionLeftOpen
from tasks_api.worker import journal, outcomes
from tasks_api.worker.child.claims import Superseded
from tasks_api.worker.connection import DATABASE_ERRORS, discard_open_transactions
from tasks_api.worker.outcomes import Outcome
from tasks_api.worker.task_row import TaskRow

type Finish = Callable[[TaskRow, Outcome], datetime]
"""Stores an outcome; raises `Superseded` where the task is no longer this worker's."""


class ClaimedTask:
    """
    Stands in for the row: its verdicts can always be stored, and are compare-and-sets.

    It has what `Worker.run_task()` uses of a `DBTaskResult`, and no more.
    """

    def __init__(
        self, row: TaskRow, *, worker_id: str, finish: Finish, max_result_bytes: int
    ) -> None:
        self.row = row
        self._worker_id = worker_id
        self._finish = finish
        self._max_result_bytes = max_result_bytes
        self._claimed_at = time.monotonic()
        self.is_settled = False
        """Whether the verdict is given, by this worker or by another."""

    @property
    def id(self) -> UUID:
        return self.row.id

    @property
    def task(self) -> Task[Any, Any]:
        return self.row.task

    @property
    def task_result(self) -> TaskResult[Any, Any]:
        return self.row.task_result

    def set_successful(self, return_value: Any) -> None:
        """Store what the function returned; whatever this raises goes to `set_failed()`."""
        if discard_open_transactions():
            raise TransactionLeftOpen
        self._settle(outcomes.successful(return_value, self._max_result_bytes))

    def set_failed(self, error: BaseException) -> None:
        """
        Store what went wrong, unless the verdict is already given: then raise it on.

        A receiver of `task_finished` that raises comes here after the verdict.
        """
        if self.is_settled:
            raise error
        discard_open_transactions()
        try:
            self._settle(outcomes.failed(error))
        except DATABASE_ERRORS as refusal:
            self._settle(_unstorable(error, refusal))

    def _settle(self, outcome: Outcome) -> None:
        try:
            finished_at = self._finish(self.row, outcome)
        except Superseded:
            self.is_settled = True
            raise
        self.is_settled = True
        self.row.status = outcome.status
        self.row.finished_at = finished_at
        self.row.return_value = outcome.return_value
        self.row.exception_class_path = outcome.exception_class_path
        self.row.traceback = outcome.traceback
        journal.task_is_finished(self.row, self._worker_id, time.monotonic() - self._claimed_at)


def _unstorable(error: BaseException, refusal: Exception) -> Outcome:
    """Keep the names alone of an error that the database refuses for a reason of its own."""
    path = outcomes.class_path(type(error))
    reason = outcomes.class_path(type(refusal))
    return Outcome(
        status="FAILED",
        exception_class_path=path.encode("ascii", "replace").decode(),
        traceback=f"{path}: the database refused its traceback ({reason})",
    )
