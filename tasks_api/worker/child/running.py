"""Runs one claimed task: its function, its verdict, its signals."""

import decimal
import os
import time
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Any
from uuid import UUID

from django.tasks import TaskContext, TaskResult, TaskResultStatus
from django.tasks.signals import task_finished, task_started

from tasks_api.backends.base import Limits
from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.backends.database.limits import limits_in, policy_for
from tasks_api.exceptions import TransactionLeftOpen
from tasks_api.worker import attempts, journal, verdicts
from tasks_api.worker.announcing import send_task_finished
from tasks_api.worker.child.claims import Superseded, VerdictRefused
from tasks_api.worker.child.coroutines import run_coroutine
from tasks_api.worker.child.stops import Stops
from tasks_api.worker.child.surroundings import Surroundings
from tasks_api.worker.connection import ConnectionsOfOtherThreads, LentConnections
from tasks_api.worker.forked import end_copy_of
from tasks_api.worker.shared_page import SharedPage
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict

type Store = Callable[[TaskRow, Verdict], datetime]
"""Stores a verdict and returns when; raises what `Claims.finish()` raises."""

type TryAgain = Callable[[TaskRow, Limits, Verdict, float], bool]
"""Has a task tried again, as `Claims.put_back()` does."""


class TaskRunner:
    """
    Runs the tasks that a worker has claimed, each to a verdict that is stored on return.

    Each has a context of its own (language, time zone, `ContextVar`s), together with the receivers of
    its signals, connections that are closed after it, and the surroundings at the runner's creation.
    """

    def __init__(
        self,
        worker_id: str,
        page: SharedPage,
        store: Store,
        put_back: TryAgain,
        max_result_bytes: int,
    ) -> None:
        self._worker_id = worker_id
        self._store = store
        self._put_back = put_back
        self._max_result_bytes = max_result_bytes
        self._pid = os.getpid()
        self._connections = LentConnections()
        self._connections_of_threads = ConnectionsOfOtherThreads()
        self._stops = Stops(page)
        self._surroundings = Surroundings()

    def run(self, task: TaskRow) -> None:
        """
        Run a claimed task, whatever it raises.

        Raises:
            WorkerCannotGoOn: the verdict is not stored, and the process is to be replaced.

        """
        journal.task_is_running(task, self._worker_id)
        context = copy_context()
        started_at = time.monotonic()
        limits = limits_in(task.args_kwargs)
        verdict = context.run(self._verdict_on, task, limits)
        # First: what a task has left locked or open must not keep its own verdict waiting.
        left_open = self._close_connections()
        if left_open and verdict.status == TaskResultStatus.SUCCESSFUL:
            verdict = verdicts.failed(TransactionLeftOpen())
        if self._is_tried_again(task, limits, verdict):
            return
        if self.settle(task, verdict, since=started_at) and task_finished.receivers:
            context.run(send_task_finished, task)
            self._surroundings.restore()
            self._close_connections()

    def _close_connections(self) -> bool:
        """Close what code of a task has opened; tell whether any of it was in a transaction."""
        left_open = self._connections.close()
        return self._connections_of_threads.close_of_ended() or left_open

    def _is_tried_again(self, task: TaskRow, limits: Limits, verdict: Verdict) -> bool:
        """Have a task tried again after a failed attempt, if it may be; no verdict is stored then."""
        pause = attempts.pause_before_next(task, limits, verdict)
        if pause is None:
            return False
        try:
            is_put_back = self._put_back(task, limits, verdict, pause)
        except Superseded:
            journal.task_is_superseded(task)
            return True
        except DATABASE_ERRORS:
            # Refused: the verdict is stored, in a plainer form if need be.
            return False
        if is_put_back:
            journal.task_is_tried_again(task, self._worker_id, verdict, pause)
        return is_put_back

    def settle(self, task: TaskRow, verdict: Verdict, *, since: float) -> bool:
        """Store the verdict on a task; tell whether the task was still this worker's."""
        try:
            stored, finished_at = self._store_some(task, verdict)
        except Superseded:
            journal.task_is_superseded(task)
            return False
        task.status = stored.status
        task.finished_at = finished_at
        task.return_value = stored.return_value
        task.exception_class_path = stored.exception_class_path
        task.traceback = stored.traceback
        journal.task_is_finished(task, self._worker_id, time.monotonic() - since)
        return True

    def _verdict_on(self, task: TaskRow, limits: Limits) -> Verdict:
        # A context holds Python's decimal context by reference.
        decimal.setcontext(decimal.getcontext().copy())
        try:
            try:
                return_value = self._call(task.task_result, task.pk, limits)
            finally:
                end_copy_of(self._pid)
                self._surroundings.restore()
            return verdicts.successful(return_value, self._max_result_bytes)
        except BaseException as error:
            # Again: a timer set by the task may have gone off before the first time, and would once more.
            self._surroundings.restore()
            return verdicts.failed(error)

    def _store_some(self, task: TaskRow, verdict: Verdict) -> tuple[Verdict, datetime]:
        """Store this verdict or, where the database refuses it, a plainer one."""
        try:
            return verdict, self._store(task, verdict)
        except DATABASE_ERRORS as refusal:
            if verdict.status == TaskResultStatus.SUCCESSFUL:
                return self._store_some(task, verdicts.failed(refusal))
            plain = verdicts.refused(verdict, refusal)
        try:
            return plain, self._store(task, plain)
        except DATABASE_ERRORS as error:
            raise VerdictRefused(
                f"The database refuses every verdict on task {task.pk}."
            ) from error

    def _call(self, result: TaskResult[Any, Any], task_id: UUID, limits: Limits) -> Any:
        task = result.task
        task_started.send(sender=type(task.get_backend()), task_result=result)
        # Of a receiver; it writes into no page.
        end_copy_of(self._pid)
        args, kwargs = result.args, result.kwargs
        if task.takes_context:
            args = [TaskContext(task_result=result), *args]
        policy = policy_for(task.module_path, limits)

        def function() -> Any:
            if not iscoroutinefunction(task.func):
                return task.call(*args, **kwargs)
            interrupt = self._connections_of_threads.interrupt
            return run_coroutine(lambda: task.acall(*args, **kwargs), self._stops, interrupt)

        return self._stops.call(
            function,
            task_id=task_id,
            timeout=policy.timeout_seconds,
            grace=policy.stop_grace_seconds,
        )
