"""
Runs the coroutine of an asynchronous task.

Its event loop is in the thread of the caller, the main one, where signals arrive. Its synchronous code
(`sync_to_async`, and with it Django's asynchronous ORM) is in one thread of the task's own, whose
database connections nobody else sees; it ends with the task.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from types import CodeType, FrameType
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async

from tasks_api.exceptions import TaskEnded, TransactionLeftOpen
from tasks_api.worker.child.stops import Stops
from tasks_api.worker.connection import LentConnections
from tasks_api.worker.forked import end_copy_of


def run_coroutine(
    start: Callable[[], Awaitable[Any]], stops: Stops, interrupt: Callable[[], None]
) -> Any:
    """
    Run what `start` returns, in an event loop of its own, to its end.

    A stop cancels it as asyncio does (`CancelledError` where it waits), and calls `interrupt`, from a thread,
    to have what its synchronous code waits for end.

    Raises:
        TransactionLeftOpen: it returned, and its synchronous code is inside a transaction.
        TaskEnded: it was stopped where it computed.

    """
    stop = _Stop(interrupt)
    with stops.going_to(stop), asyncio.Runner() as runner:
        return runner.run(_in_own_thread(lambda: stop.run(start)))


async def _in_own_thread(start: Callable[[], Awaitable[Any]]) -> Any:
    async with ThreadSensitiveContext():
        try:
            return_value = await start()
        finally:
            # First, because they use the connections as well.
            await _cancel_other_tasks()
            await asyncio.get_running_loop().shutdown_asyncgens()
            # Its own thread's, all of which end with it.
            left_open = await sync_to_async(LentConnections().close)()
    if left_open:
        raise TransactionLeftOpen
    return return_value


class _Stop:
    """
    Stops the coroutine of a task: cancels it where it waits, raises the reason where it computes.

    Nothing happens in what comes before and after it, which is ours.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._task: asyncio.Task[Any] | None = None
        self._error: TaskEnded | None = None

    async def run(self, start: Callable[[], Awaitable[Any]]) -> Any:
        pid = os.getpid()
        # Not a task of its own, for which the code would wait that waits for all tasks but its own.
        self._task = asyncio.current_task()
        try:
            if self._error is not None:
                raise self._error
            return await start()
        finally:
            # A copy lacks the thread in which this would go on.
            end_copy_of(pid)
            self._task = None

    def __call__(self, error: TaskEnded, frame: FrameType | None) -> None:
        self._error = error
        if self._task is None:
            return
        if _is_within(_Stop.run.__code__, frame):
            raise error
        self._task.get_loop().call_soon_threadsafe(self._cancel)
        threading.Thread(target=self._interrupt, daemon=True).start()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _is_within(code: CodeType, frame: FrameType | None) -> bool:
    """Tell whether a function is being run by this frame or by one that it was called from."""
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


async def _cancel_other_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
