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
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async

from tasks_api.backends.database.failures import DATABASE_ERRORS
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
        TaskEnded: it has ended because it was stopped.

    """
    with asyncio.Runner() as runner:
        return runner.run(_in_own_thread(start, stops, interrupt))


async def _in_own_thread(
    start: Callable[[], Awaitable[Any]], stops: Stops, interrupt: Callable[[], None]
) -> Any:
    pid = os.getpid()
    async with ThreadSensitiveContext():
        try:
            return_value = await _until_stopped(start, stops, interrupt)
        finally:
            # A copy lacks the thread in which this would go on.
            end_copy_of(pid)
            # First, because they use the connections as well.
            await _cancel_other_tasks()
            await asyncio.get_running_loop().shutdown_asyncgens()
            # Its own thread's, all of which end with it.
            left_open = await sync_to_async(LentConnections().close)()
    if left_open:
        raise TransactionLeftOpen
    return return_value


async def _until_stopped(
    start: Callable[[], Awaitable[Any]], stops: Stops, interrupt: Callable[[], None]
) -> Any:
    loop = asyncio.get_running_loop()
    # A task of asyncio's own, which can be cancelled alone.
    task = loop.create_task(_run(start))

    def stop(error: TaskEnded) -> None:
        if asyncio.current_task(loop) is task:
            # It computes, and does not wait.
            raise error
        loop.call_soon_threadsafe(task.cancel)
        threading.Thread(target=interrupt, daemon=True).start()

    with stops.going_to(stop):
        try:
            return await task
        except (asyncio.CancelledError, *DATABASE_ERRORS) as error:
            if stops.error is None:
                raise
            raise stops.error from error


async def _run(start: Callable[[], Awaitable[Any]]) -> Any:
    pid = os.getpid()
    try:
        return await start()
    finally:
        end_copy_of(pid)


async def _cancel_other_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
