"""Starts the children, replaces them, passes signals on and kills what does not end."""

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from uuid import UUID

from tasks_api.worker.exit_status import RELOAD, RENEW
from tasks_api.worker.parent.heartbeat import Heartbeat
from tasks_api.worker.parent.slot import Slot

logger = logging.getLogger("tasks_api.worker")

STOP_SECONDS = 2.5
LOOK_SECONDS = 0.5
"""How often it is looked what runs, and until when it may."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


class Supervisor:
    """
    Runs `processes` children until a signal ends them, or, where they `may_end`, until all are done.

    The first signal lets each running task finish, within `grace_seconds`; a second one ends the
    tasks at once. It takes no part in the children's work, and so no task can keep it from this.
    """

    def __init__(
        self,
        command: Sequence[str],
        heartbeat: Heartbeat,
        *,
        processes: int,
        may_end: bool,
        grace_seconds: float,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._heartbeat = heartbeat
        heartbeat.on_declared_lost = self._on_declared_lost
        heartbeat.running_tasks = self._running_tasks
        heartbeat.on_cancelled = self._on_cancelled
        self._slots = [Slot(command, heartbeat, may_end=may_end) for _ in range(processes)]
        self._lock = threading.Lock()
        self._declared_lost: set[str] = set()
        self._cancelled: set[UUID] = set()
        self._look_at: float | None = None
        self._signals = 0
        self._ends_at: float | None = None
        self._has_killed = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)

    def run(self) -> int:
        """Return the exit status: 0 where every task came to its own end."""
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)
        signal.signal(signal.SIGCHLD, self._on_child)
        self._heartbeat.start()
        while True:
            self._check_children()
            if not self._is_busy():
                break
            self._kill_declared_lost()
            self._stop_tasks()
            if self._signals:
                self._end_children()
            self._rest()
        is_none_left = self._heartbeat.stop(STOP_SECONDS)
        if not is_none_left:
            logger.error(
                "The database did not answer within %g seconds of the shutdown; another worker "
                "ends the tasks that were running here as lost",
                STOP_SECONDS,
            )
        return 0 if is_none_left and not self._has_killed else 1

    def _is_busy(self) -> bool:
        return any(
            slot.is_running or (slot.is_wanted and not self._signals) for slot in self._slots
        )

    def _check_children(self) -> None:
        for slot in self._slots:
            status = slot.check()
            if status is not None and slot.is_wanted and not self._signals:
                _log_replacement(slot.worker_id, status)
            is_due = slot.is_wanted and time.monotonic() >= slot.start_at
            if is_due and not slot.is_running and not self._signals:
                slot.start()

    def _kill_declared_lost(self) -> None:
        with self._lock:
            lost, self._declared_lost = self._declared_lost, set()
        for slot in self._slots:
            if slot.worker_id in lost:
                slot.kill()

    def _stop_tasks(self) -> None:
        """Stop what was cancelled or takes too long."""
        with self._lock:
            cancelled, self._cancelled = self._cancelled, set()
        running = [slot.stopping for slot in self._slots if slot.stopping is not None]
        for stopping in running:
            if cancelled:
                stopping.cancel(cancelled)
        due = [when for stopping in running if (when := stopping.look()) is not None]
        self._look_at = min([*due, time.monotonic() + LOOK_SECONDS]) if running else None

    def _end_children(self) -> None:
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._grace_seconds
            logger.warning(
                "Shutting down: running tasks have %g seconds to finish; a second signal ends "
                "them at once",
                self._grace_seconds,
            )
            for slot in self._slots:
                slot.tell_to_stop()
        if self._signals > 1 or now >= self._ends_at:
            for slot in self._slots:
                self._has_killed = self._has_killed or slot.is_running
                slot.kill()

    def _rest(self) -> None:
        """Wait for a signal, for a child's end or for what is due next."""
        due = [when for when in (self._ends_at, self._look_at) if when is not None]
        if not self._signals:
            waiting = (slot for slot in self._slots if slot.is_wanted)
            due += [slot.start_at for slot in waiting if not slot.is_running]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        select.select([self._woken], [], [], timeout)
        with suppress(BlockingIOError):
            os.read(self._woken, 64)

    def _on_declared_lost(self, worker_ids: set[str]) -> None:
        with self._lock:
            self._declared_lost |= worker_ids
        self._wake_up()

    def _running_tasks(self) -> list[UUID]:
        """Return the tasks that run now; for the heartbeat's thread."""
        stoppings = [slot.stopping for slot in self._slots]
        tasks = [stopping.running_task() for stopping in stoppings if stopping is not None]
        return [task for task in tasks if task is not None]

    def _on_cancelled(self, task_ids: set[UUID]) -> None:
        if task_ids:
            with self._lock:
                self._cancelled |= task_ids
            self._wake_up()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1
        self._wake_up()

    def _on_child(self, signum: int, frame: FrameType | None) -> None:
        self._wake_up()

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, b"!")


def _log_replacement(worker_id: str, status: int) -> None:
    if status == RELOAD:
        logger.info("The process of worker %s is replaced: its code has changed", worker_id)
    elif status == RENEW:
        logger.info(
            "The process of worker %s is replaced: it has run as many tasks, or takes as much memory, "
            "as a process may",
            worker_id,
        )
    else:
        logger.warning(
            "The process of worker %s ended with status %d and is replaced", worker_id, status
        )
