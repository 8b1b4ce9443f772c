"""
Stops what a child runs: tells it to, and ends the process if it does not in time.

A process is ended only in the midst of the task that was to stop. It may be about to store the task's
result, and to claim another task with it, so it is looked at while it stands still.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from tasks_api.exceptions import TaskCancelled, TaskEnded, TaskTimedOut
from tasks_api.worker.shared_page import STOP_SIGNAL, Running, SharedPage, StopReason

logger = logging.getLogger("tasks_api.worker")

REPEAT_SECONDS = 1.0
"""How often a child is told, which may not have listened the first time."""
STANDSTILL_SECONDS = 1.0
"""How long a process may take to stand still; one that waits for a disk does not, and runs no code either."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Which task was ended with its process, and why."""

    task_id: UUID
    reason: StopReason
    grace: float

    @property
    def error(self) -> TaskEnded:
        """What the task failed with."""
        what = f"did not end within {self.grace:g} s of being told to; its process was ended."
        if self.reason == StopReason.CANCELLED:
            return TaskCancelled(f"The task was cancelled while it ran, and {what}")
        return TaskTimedOut(f"The attempt took longer than its time limit, and {what}")


class Stopping:
    """
    The stops of one child.

    Attributes:
        stopped: the task that the process was ended for.

    """

    def __init__(self, page: SharedPage, pid: int, kill: Callable[[], None]) -> None:
        self._page = page
        self._pid = pid
        self._kill = kill
        self._run = 0
        self._reason: StopReason | None = None
        self._repeat_at = self._kill_at = 0.0
        self.stopped: Stopped | None = None

    def ended(self, task_id: UUID) -> TaskEnded | None:
        """Return what a task was ended with, if the process was ended for it."""
        if self.stopped is None or self.stopped.task_id != task_id:
            return None
        return self.stopped.error

    def running_task(self) -> UUID | None:
        running = self._page.running()
        return None if running is None else running.task_id

    def cancel(self, task_ids: Collection[UUID]) -> None:
        """Stop what runs if it is one of these tasks."""
        running = self._page.running()
        if running is not None and running.task_id in task_ids and not self._is_told(running):
            self._tell(running, StopReason.CANCELLED)

    def look(self) -> float | None:
        """Do what is due, and return when more may be, by `time.monotonic()`; None for no time."""
        running = self._page.running()
        if running is None or self.stopped is not None:
            return None
        now = time.monotonic()
        if not self._is_told(running):
            if running.deadline is None or now < running.deadline:
                return running.deadline
            self._tell(running, StopReason.TIMED_OUT)
        if now >= self._kill_at:
            self._end(running)
            return None
        if now >= self._repeat_at:
            self._signal(STOP_SIGNAL)
            self._repeat_at = now + REPEAT_SECONDS
        return min(self._repeat_at, self._kill_at)

    def _is_told(self, running: Running) -> bool:
        return self._run == running.run

    def _tell(self, running: Running, reason: StopReason) -> None:
        self._run, self._reason = running.run, reason
        self._page.tell_to_stop(running.run, reason)
        self._repeat_at = now = time.monotonic()
        self._kill_at = now + running.grace

    def _end(self, told: Running) -> None:
        """Kill the process if the task still runs."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STANDSTILL_SECONDS
        while not self._stands_still() and time.monotonic() < deadline:
            time.sleep(0.001)
        running = self._page.running()
        if running is None or running.run != told.run or self._reason is None:
            self._signal(signal.SIGCONT)
            return
        self.stopped = Stopped(told.task_id, self._reason, told.grace)
        logger.warning(
            "Task %s was told to stop, and has not within %g seconds: process %d is ended",
            told.task_id,
            told.grace,
            self._pid,
        )
        self._kill()

    def _stands_still(self) -> bool:
        """Tell whether the process is stopped, or has ended; its status stays where it is."""
        flags = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self._pid, flags) is not None
        return True

    def _signal(self, signum: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._pid, signum)
