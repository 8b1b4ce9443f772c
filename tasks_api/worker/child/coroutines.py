"""
Runs the coroutine of an asynchronous task.

Its event loop is in the thread of the caller, the main one, where signals arrive. Its synchronous code
(`sync_to_async`, and with it Django's asynchronous ORM) is in one thread of the task's own, whose
database connections nobody else sees; it ends with the task.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async

from tasks_api.exceptions import TransactionLeftOpen
from tasks_api.worker.connection import LentConnections
from tasks_api.worker.forked import end_copy_of


def run_coroutine(start: Callable[[], Awaitable[Any]]) -> Any:
    """
    Run what `start` returns, in an event loop of its own, to its end.

    Raises:
        TransactionLeftOpen: it returned, and its synchronous code is inside a transaction.

    """
    with asyncio.Runner() as runner:
        return runner.run(_in_own_thread(start))


async def _in_own_thread(start: Callable[[], Awaitable[Any]]) -> Any:
    pid = os.getpid()
    async with ThreadSensitiveContext():
        try:
            return_value = await start()
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


async def _cancel_other_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
