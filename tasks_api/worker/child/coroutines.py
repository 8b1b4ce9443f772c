"""
Runs the coroutine of an asynchronous task.

Its event loop is in the thread of the caller, the main one, where signals arrive. Its synchronous code
(`sync_to_async`, and with it Django's asynchronous ORM) is in one thread of the task's own, whose
database connections nobody else sees; it ends with the task.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async

from tasks_api.exceptions import TransactionLeftOpen
from tasks_api.worker.connection import discard_all, discard_open_transactions


def run_coroutine(start: Callable[[], Awaitable[Any]]) -> Any:
    """
    Run what `start` returns, in an event loop of its own, to its end.

    Raises:
        TransactionLeftOpen: it returned, and its synchronous code is inside a transaction.

    """
    with asyncio.Runner() as runner:
        return runner.run(_in_own_thread(start))


async def _in_own_thread(start: Callable[[], Awaitable[Any]]) -> Any:
    async with ThreadSensitiveContext():
        try:
            return_value = await start()
        finally:
            # First, for they use the connections as well.
            await _cancel_other_tasks()
            await asyncio.get_running_loop().shutdown_asyncgens()
            left_open = await sync_to_async(_close_connections)()
    if left_open:
        raise TransactionLeftOpen
    return return_value


async def _cancel_other_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _close_connections() -> bool:
    """Close the thread's connections; tell whether one of them was in a transaction."""
    left_open = discard_open_transactions()
    discard_all()
    return left_open
