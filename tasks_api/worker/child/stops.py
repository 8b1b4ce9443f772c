"""
Stops a task when the parent says so: raises the reason in the task's own code, and nowhere else.

Once for each run: what a task makes of the exception is its own affair, for as long as its grace lasts.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from uuid import UUID

from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.exceptions import TaskCancelled, TaskEnded, TaskTimedOut
from tasks_api.worker.forked import end_copy_of
from tasks_api.worker.shared_page import STOP_SIGNAL, SharedPage, StopReason

type Receiver = Callable[[TaskEnded, FrameType | None], None]


class Stops:
    """Listens for the parent while a task's code runs; it belongs to the main thread, where signals arrive."""

    def __init__(self, page: SharedPage) -> None:
        self._page = page
        self._pid = os.getpid()
        self._run = 0
        self._timeout: float | None = None
        self._is_listening = False
        self._receiver: Receiver = _raise
        # What the running task, or the last one, was stopped with.
        self._error: TaskEnded | None = None
        signal.signal(STOP_SIGNAL, self._on_signal)

    def call(
        self,
        function: Callable[[], Any],
        *,
        task_id: UUID,
        timeout: float | None,
        grace: float,
    ) -> Any:
        """
        Call a task's code, within its limit of time.

        Raises:
            TaskCancelled: the parent said so.
            TaskTimedOut: it took too long.
            BaseException: what the code raises.

        """
        self._error = None
        self._timeout = timeout
        try:
            try:
                self._run = self._page.begin(task_id, timeout=timeout, grace=grace)
                self._is_listening = True
                # The parent may have said so before anybody listened.
                self._look(None)
                return function()
            finally:
                self._end()
        except BaseException as error:
            # Again: a stop may have come in the midst of the first time. There is but one.
            self._end()
            if self._error is not None and _comes_of(self._error, error):
                raise self._error from error
            raise

    def _end(self) -> None:
        # A copy of this process writes into the same page.
        end_copy_of(self._pid)
        self._is_listening = False
        self._page.end()

    @contextmanager
    def going_to(self, receiver: Receiver) -> Iterator[None]:
        """Have a stop call the receiver, in the midst of anything, instead of raising the reason there."""
        self._receiver = receiver
        try:
            yield
        finally:
            self._receiver = _raise

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._look(frame)

    def _look(self, frame: FrameType | None) -> None:
        if not self._is_listening or os.getpid() != self._pid:
            return
        reason = self._page.reason_to_stop(self._run)
        if reason is None:
            return
        self._is_listening = False
        self._error = self._error_for(reason)
        self._receiver(self._error, frame)

    def _error_for(self, reason: StopReason) -> TaskEnded:
        if reason == StopReason.CANCELLED:
            return TaskCancelled("The task was cancelled while it ran.")
        return TaskTimedOut(f"The attempt took longer than {self._timeout:g} s.")


def _raise(error: TaskEnded, frame: FrameType | None) -> None:
    raise error


def _comes_of(stop: TaskEnded, error: BaseException) -> bool:
    """Tell whether a task ended so because it was stopped: its connections and groups make other errors of that."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(lambda one: one is stop) is not None
    return isinstance(error, (asyncio.CancelledError, *DATABASE_ERRORS))
