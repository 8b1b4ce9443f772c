"""The parent: starts the children, replaces them, passes signals on and ends what does not end."""

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from tasks_api.worker.parent.heart import Heart
from tasks_api.worker.parent.place import Child

logger = logging.getLogger("tasks_api.worker")

BURIAL_SECONDS = 2.5
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
        heart: Heart,
        *,
        processes: int,
        may_end: bool,
        grace_seconds: float,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._heart = heart
        heart.on_usurped = self._are_usurped
        self._children = [Child(command, self._heart, may_end=may_end) for _ in range(processes)]
        self._lock = threading.Lock()
        self._usurped: set[str] = set()
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
        self._heart.start()
        while True:
            self._check_children()
            if not self._is_busy():
                break
            self._kill_usurped()
            if self._signals:
                self._end_children()
            self._rest()
        has_buried = self._heart.stop(BURIAL_SECONDS)
        if not has_buried:
            logger.error("The database did not answer; another worker will end our tasks")
        return 0 if has_buried and not self._has_killed else 1

    def _is_busy(self) -> bool:
        return any(
            child.is_running or (child.is_wanted and not self._signals) for child in self._children
        )

    def _check_children(self) -> None:
        for child in self._children:
            status = child.check()
            if status is not None and child.is_wanted and not self._signals:
                logger.warning("Worker %s ended with status %d", child.worker_id, status)
            is_due = child.is_wanted and time.monotonic() >= child.start_at
            if is_due and not child.is_running and not self._signals:
                child.start()

    def _kill_usurped(self) -> None:
        with self._lock:
            usurped, self._usurped = self._usurped, set()
        for child in self._children:
            if child.worker_id in usurped:
                child.send_signal(signal.SIGKILL)

    def _end_children(self) -> None:
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._grace_seconds
            logger.warning("Shutting down; a second signal ends the running tasks at once")
            for child in self._children:
                child.send_signal(signal.SIGTERM)
        if self._signals > 1 or now >= self._ends_at:
            for child in self._children:
                self._has_killed = self._has_killed or child.is_running
                child.send_signal(signal.SIGKILL)

    def _rest(self) -> None:
        """Wait for a signal, for a child's end or for what is due next."""
        due = [self._ends_at] if self._ends_at is not None else []
        if not self._signals:
            waiting = (child for child in self._children if child.is_wanted)
            due += [child.start_at for child in waiting if not child.is_running]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        select.select([self._woken], [], [], timeout)
        with suppress(BlockingIOError):
            os.read(self._woken, 64)

    def _are_usurped(self, worker_ids: set[str]) -> None:
        with self._lock:
            self._usurped |= worker_ids
        self._wake_up()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1
        self._wake_up()

    def _on_child(self, signum: int, frame: FrameType | None) -> None:
        self._wake_up()

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, b"!")
