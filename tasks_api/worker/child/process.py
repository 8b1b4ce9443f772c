"""A child of the worker: claims tasks and runs them one after the other."""

import logging
import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import FrameType

from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.conf import tasks_api_settings
from tasks_api.worker import verdicts
from tasks_api.worker.child.claims import (
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    Claims,
    Unreadable,
)
from tasks_api.worker.child.memory import MIB, memory_in_use
from tasks_api.worker.child.pace import Pace
from tasks_api.worker.child.running import TaskRunner
from tasks_api.worker.child.transitions import ready_tasks
from tasks_api.worker.connection import OwnConnection, discard_all
from tasks_api.worker.shared_page import SharedPage
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict

logger = logging.getLogger("tasks_api.worker")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says to each child alike."""

    backend_name: str
    queue_names: list[str]
    excluded_queue_names: list[str]
    interval: float
    batch: bool
    max_tasks: int | None
    max_tasks_per_child: int | None
    max_memory_per_child: int | None
    """In MiB."""


class WorkerProcess:
    """Claims what is ready and runs it, one task at a time; survives tasks and outages."""

    def __init__(self, worker_id: str, options: Options, alias: str, page: SharedPage) -> None:
        settings = tasks_api_settings()
        ready = ready_tasks(options.backend_name, options.queue_names, options.excluded_queue_names)
        self._worker_id = worker_id
        self._options = options
        connection = OwnConnection(alias)
        self._claims = Claims(connection, worker_id, ready, settings.lost_after_seconds)
        self._configure_signals()
        # Last, since it gives each task what it finds now.
        self._runner = TaskRunner(
            worker_id, page, self._store, self._claims.put_back, settings.max_result_bytes
        )
        self._pace = Pace(options.interval)
        self._run_tasks = 0
        self._is_stopping = False
        self.is_outdated = False
        """Whether it was stopped because its code has changed."""
        self.is_worn = False
        """Whether it has run as many tasks, or takes as much memory, as a process may."""
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)

    def _configure_signals(self) -> None:
        """
        Let a signal finish the running task and claim no other, however often it comes.

        To end at once is the parent's business: it does not depend on our interpreter's listening.
        """
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)

    def note_heartbeat(self) -> None:
        """Note that the parent has reached the database."""
        self._claims.note_heartbeat()

    def stop_to_reload(self) -> None:
        self.is_outdated = True
        self.stop()

    def run(self) -> None:
        """
        Work until told to stop, or until `batch` or `max_tasks` is reached.

        Raises:
            WorkerCannotGoOn: the process is to be replaced.

        """
        queue_names = ",".join(self._options.queue_names)
        logger.info("Worker %s started queues=%s", self._worker_id, queue_names)
        # No task gets what was opened to start with.
        discard_all()
        retry_after = FIRST_RETRY_SECONDS
        while not self._is_stopping or self._claims.may_hold_one:
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
            elif self._has_run_enough() or (self._options.batch and not self._claims.may_hold_one):
                break
            elif not self._is_stopping:
                self._rest(self._pace.delay(time.monotonic() - looked_at))
        logger.info("Worker %s ended after %d tasks", self._worker_id, self._run_tasks)

    def _work_once(self) -> bool:
        """Run a task if there is one; only a claim raises a database's error."""
        try:
            task = self._claims.next(may_claim=not self._is_stopping and not self._has_run_enough())
        except Unreadable as unreadable:
            verdict = verdicts.failed(unreadable.reason)
            self._runner.settle(unreadable.task, verdict, since=time.monotonic())
            self._run_tasks += 1
            return True
        if task is None:
            return False
        self._runner.run(task)
        self._run_tasks += 1
        return True

    def _store(self, task: TaskRow, verdict: Verdict) -> datetime:
        claim_next = not self._is_stopping and not self._has_run_enough(running=1)
        return self._claims.finish(task, verdict, claim_next=claim_next)

    def _has_run_enough(self, running: int = 0) -> bool:
        tasks = self._run_tasks + running
        self.is_worn = self.is_worn or self._wears_out_with(tasks)
        return self.is_worn or _is_reached(self._options.max_tasks, tasks)

    def _wears_out_with(self, tasks: int) -> bool:
        if _is_reached(self._options.max_tasks_per_child, tasks):
            return True
        most = self._options.max_memory_per_child
        # A process that takes more from the start would otherwise never run a task.
        return most is not None and tasks > 0 and memory_in_use() >= most * MIB

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish the running task and claim no other; may be called from any thread."""
        self._is_stopping = True
        with suppress(BlockingIOError):
            os.write(self._wake, b"!")

    def _rest(self, seconds: float) -> None:
        """Wait, but not beyond a call to `stop()`."""
        select.select([self._woken], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._woken, 64)


def _is_reached(most: int | None, number: int) -> bool:
    return most is not None and number >= most
