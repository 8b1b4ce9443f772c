"""A child of the worker: claims tasks and runs them one after the other."""

import logging
import os
import select
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Any, cast

from django_tasks_db.management.commands.db_worker import Worker as DatabaseWorker

from tasks_api.conf import tasks_api_settings
from tasks_api.worker import journal, outcomes
from tasks_api.worker.child.claimed_task import ClaimedTask
from tasks_api.worker.child.claims import (
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    Claims,
    DeclaredLost,
    ResultAbandoned,
    Superseded,
    Unreadable,
)
from tasks_api.worker.child.pace import Pace
from tasks_api.worker.child.transitions import ready_tasks
from tasks_api.worker.connection import DATABASE_ERRORS, close_old_connections
from tasks_api.worker.outcomes import Outcome
from tasks_api.worker.task_row import TaskRow

logger = logging.getLogger("tasks_api.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says to each child alike."""

    backend_name: str
    queue_names: list[str]
    excluded_queue_names: list[str]
    interval: float
    batch: bool
    max_tasks: int | None


class WorkerProcess(DatabaseWorker):
    """
    django-tasks-db's worker, with claims and verdicts that survive tasks and outages.

    Its `run_task()` stays: how a task is called, and which signals are sent when.
    """

    def __init__(self, worker_id: str, options: Options, alias: str) -> None:
        super().__init__(
            queue_names=options.queue_names,
            interval=options.interval,
            batch=options.batch,
            backend_name=options.backend_name,
            startup_delay=False,
            max_tasks=options.max_tasks,
            worker_id=worker_id,
            excluded_queue_names=options.excluded_queue_names,
        )
        settings = tasks_api_settings()
        self._max_result_bytes = settings.max_result_bytes
        ready = ready_tasks(self.backend_name, self.queue_names, self.excluded_queue_names)
        self._alias = alias
        self._claims = Claims(alias, worker_id, ready, settings.lost_after_seconds)
        self._pace = Pace(options.interval)
        self.is_outdated = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)

    def shutdown(self, signum: int, frame: FrameType | None) -> None:
        """
        Let the running task finish and claim no other, however often it is asked.

        To end at once is the parent's business: it does not depend on our interpreter's listening.
        """
        self.stop()

    def stop_to_reload(self) -> None:
        self.is_outdated = True
        self.stop()

    def stop(self) -> None:
        self.running = False
        with suppress(BlockingIOError):
            os.write(self._wake, b"!")

    def run(self) -> None:
        """
        Work until told to stop, or until `batch` or `max_tasks` is reached.

        Raises:
            Superseded: this process cannot go on; its parent replaces it.

        """
        logger.info("Worker %s starts queues=%s", self.worker_id, ",".join(self.queue_names))
        retry_after = FIRST_RETRY_SECONDS
        while self.running or self._claims.may_hold_one:
            looked_at = time.monotonic()
            try:
                has_worked = self._work_once()
            except DATABASE_ERRORS:
                self._rest(retry_after)
                retry_after = min(2 * retry_after, LONGEST_RETRY_SECONDS)
                continue
            retry_after = FIRST_RETRY_SECONDS
            if has_worked:
                self._pace.note_work()
            elif self._has_run_enough() or (self.batch and not self._claims.may_hold_one):
                break
            elif self.running:
                self._rest(self._pace.delay(time.monotonic() - looked_at))
        logger.info("Worker %s ends after %d tasks", self.worker_id, self._run_tasks)

    def _work_once(self) -> bool:
        """Run a task if there is one; only a claim raises a database's error."""
        try:
            task = self._claims.next(may_claim=self.running and not self._has_run_enough())
        except Unreadable as unreadable:
            self._give_up(unreadable)
            return True
        if task is not None:
            self.run_task(task)
        return task is not None

    def run_task(self, db_task_result: TaskRow) -> None:
        """Run a claimed task to its verdict, which is stored on return."""
        journal.task_is_running(db_task_result, self.worker_id)
        claimed = self._claimed(db_task_result)
        try:
            super().run_task(cast("Any", claimed))
        except (DeclaredLost, ResultAbandoned):
            raise
        except Superseded:
            logger.warning("Task %s was ended meanwhile; its result is dropped", claimed.id)
        except BaseException as error:
            if not claimed.is_settled:
                raise VerdictNotStored from error
            # A receiver of `task_finished`, or the second import of a task that cannot be imported.
            text = outcomes.failed(error).traceback
            logger.warning("After the end of task %s: %s", claimed.id, text)
        close_old_connections(kept=self._alias)

    def _give_up(self, unreadable: Unreadable) -> None:
        claimed = self._claimed(unreadable.task)
        claimed.set_failed(cast("Exception", unreadable.__cause__))
        self._run_tasks += 1

    def _claimed(self, task: TaskRow) -> ClaimedTask:
        return ClaimedTask(
            task,
            worker_id=self.worker_id,
            finish=self._finish,
            max_result_bytes=self._max_result_bytes,
        )

    def _finish(self, task: TaskRow, outcome: Outcome) -> datetime:
        claim_next = self.running and not self._has_run_enough(running=1)
        return self._claims.finish(task, outcome, claim_next=claim_next)

    def _has_run_enough(self, running: int = 0) -> bool:
        return self.max_tasks is not None and self._run_tasks + running >= self.max_tasks

    def _rest(self, seconds: float) -> None:
        """Wait, but not beyond a call to `stop()`."""
        select.select([self._woken], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._woken, 64)


class VerdictNotStored(Exception):
    """The database refuses even the plainest verdict; the parent ends the task."""
