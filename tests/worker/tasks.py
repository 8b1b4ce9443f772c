"""Tasks that behave, and tasks that do what no task should."""

import asyncio
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, transaction
from django.dispatch import receiver
from django.tasks import TaskContext, task
from django.tasks.signals import task_finished, task_started
from django_tasks_db.models import DBTaskResult

logger = logging.getLogger("tests.worker")


@receiver(task_started)
def note_start(task_result: Any, **_: Any) -> None:
    logger.info("SIGNAL started %s %s", task_result.id, task_result.status)


@receiver(task_finished)
def note_end(sender: type, task_result: Any, **_: Any) -> None:
    logger.info("SIGNAL finished %s %s", task_result.id, task_result.status)
    if task_result.task.name == "sleep_and_finish_slowly":
        time.sleep(0.5)
        logger.info("SIGNAL received %s", task_result.id)
    if task_result.task.name == "finish_badly":
        raise RuntimeError("a receiver of task_finished")


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task
def sleep_and_finish_slowly(seconds: float) -> None:
    """Sleep; a receiver of `task_finished` takes its time as well."""
    time.sleep(seconds)


@task
def leave_mark(path: str, seconds: float = 0) -> None:
    """Say that this runs, in a file that tells how often it ran."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)


@task
def safe_to_run_twice(path: str, seconds: float) -> None:
    leave_mark.func(path, seconds)


@task(takes_context=True)
def tell_attempt(context: TaskContext) -> int:
    return context.attempt


@task
async def wait_for_nothing() -> str:
    return "awaited"


@task
def fail(message: str) -> None:
    raise RuntimeError(message)


@task
def fail_with_nul() -> None:
    raise RuntimeError("a\0b")


@task
def fail_with_surrogate() -> None:
    raise RuntimeError("a\ud800b")


@task
def fail_at_length() -> None:
    raise RuntimeError("x" * 100_000_000 + "the end")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@task
def fail_without_text() -> None:
    raise UnprintableError


class NoExceptionError(BaseException):
    pass


@task
def raise_base_exception() -> None:
    raise NoExceptionError("not even an Exception")


@task
def exit_with_success() -> None:
    sys.exit(0)


@task
def interrupt() -> None:
    raise KeyboardInterrupt


@task
def recurse() -> None:
    recurse.func()


@task
def return_set() -> Any:
    return {1, 2}


@task
def return_keys_of_one_name() -> Any:
    return {1: "one", "1": "another"}


@task
def return_text(text: str) -> str:
    return text.encode().decode("unicode_escape")


@task
def return_nan() -> float:
    return float("nan")


@task
def return_characters(number: int) -> str:
    return "x" * number


@task
def return_depth(levels: int) -> Any:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@task
def finish_badly() -> int:
    return 1


@task
def close_connection() -> str:
    connection.close()
    return "closed"


@task
def leave_atomic_block_open() -> None:
    transaction.atomic().__enter__()


@task
def leave_autocommit_off() -> None:
    transaction.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_tasks_database_dbtaskresult SET priority = 99")


@task
def leave_transaction_open() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE django_tasks_database_dbtaskresult SET priority = 99")


@task
def close_inside_transaction() -> None:
    with transaction.atomic():
        connection.close()


@task
def make_connection_read_only() -> str:
    statement = {
        "postgresql": "SET default_transaction_read_only = on",
        "sqlite": "PRAGMA query_only = on",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement)
    return "read only"


@task
def die(status: int) -> None:
    os._exit(status)


@task
def ignore_signals(seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


@task
def hog_interpreter(seconds: float) -> None:
    """Hold the interpreter's lock: no other thread of the process runs meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        re.match(r"(a|a)*b", "a" * 24)


@task
def load_module(name: str) -> None:
    import_module(name)


@task(takes_context=True)
def tell_context(context: TaskContext, text: str = "") -> list[Any]:
    result = context.task_result
    return [text, result.id, str(result.status), result.attempts, result.worker_ids]


@task(takes_context=True)
async def tell_context_later(context: TaskContext, text: str = "") -> list[Any]:
    return await sync_to_async(tell_context.func)(context, text)


@task
async def fail_later(message: str) -> None:
    raise RuntimeError(message)


@task
async def exit_later() -> None:
    sys.exit(3)


@task
async def cancel_itself() -> None:
    current = asyncio.current_task()
    assert current is not None
    current.cancel()
    await asyncio.sleep(60)


@task
def return_tuple() -> Any:
    return (1, 2)


@task
async def tell_threads() -> dict[str, bool]:
    """Tell in which threads the parts of an asynchronous task run."""
    first, second = [await sync_to_async(threading.current_thread)() for _ in range(2)]
    return {
        "loop is in the main thread": threading.current_thread() is threading.main_thread(),
        "synchronous code is elsewhere": first is not threading.main_thread(),
        "synchronous code is in one thread": first is second,
    }


@task
async def leave_temporary_table() -> None:
    await sync_to_async(_execute)("CREATE TEMPORARY TABLE left_behind (number integer)")


@task
async def find_temporary_table() -> bool:
    """Tell whether a table is there that another task has made for itself."""
    try:
        await sync_to_async(_execute)("SELECT number FROM left_behind")
    except DatabaseError:
        return False
    return True


@task
async def leave_atomic_block_open_later() -> None:
    await sync_to_async(leave_atomic_block_open.func)()
    await DBTaskResult.objects.all().aupdate(priority=99)


@task
async def leave_transaction_open_later() -> None:
    await sync_to_async(leave_transaction_open.func)()


@task
async def leave_transaction_open_and_fail() -> None:
    await sync_to_async(leave_transaction_open.func)()
    raise RuntimeError("after that")


@task
async def leave_another_running(path: str) -> None:
    """Return while another coroutine is at work, which needs the database to the end."""

    async def clean_up() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            Path(path).write_text(str(await DBTaskResult.objects.acount()))

    tasks_in_progress.add(asyncio.create_task(clean_up()))
    await asyncio.sleep(0)


tasks_in_progress: set[asyncio.Task[None]] = set()


@task
async def leave_generator_open(path: str) -> None:
    """Return while a generator is open, which leaves a transaction open when it is closed."""

    async def count() -> AsyncIterator[int]:
        try:
            yield await DBTaskResult.objects.acount()
        finally:
            await sync_to_async(leave_transaction_open.func)()
            Path(path).write_text("closed")

    generators_in_use.append(counting := count())
    await anext(counting)


generators_in_use: list[AsyncIterator[int]] = []


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
