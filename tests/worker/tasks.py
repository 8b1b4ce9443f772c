"""Tasks that behave, and tasks that do what no task should."""

import asyncio
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, transaction
from django.dispatch import receiver
from django.tasks import TaskContext, task
from django.tasks.signals import task_finished, task_started
from django_tasks_db.models import DBTaskResult

from tasks_api.policies import policy

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


# Attempts that fail, and tasks that are told to stop.


@task
@policy(max_attempts=3, backoff={"initial": 0.05, "jitter": 0})
def fail_until(path: str, attempt: int) -> int:
    """Succeed in this attempt, the first being 1."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    reached = len(Path(path).read_text().splitlines())
    if reached < attempt:
        raise ValueError(f"attempt {reached}")
    return reached


@task
@policy(max_attempts=3, retry_on=[OSError], backoff={"initial": 0})
def fail_with(kind: str) -> None:
    raise {"FileNotFoundError": FileNotFoundError, "KeyError": KeyError}[kind](kind)


@task
@policy(timeout_seconds=0.5, stop_grace_seconds=1)
def take_too_long(path: str) -> None:
    """Wait for ever, and say in a file how it ended."""
    try:
        time.sleep(600)
    finally:
        Path(path).write_text("cleaned up")


@task
@policy(timeout_seconds=0.5, stop_grace_seconds=1)
async def take_too_long_asynchronously(path: str) -> None:
    try:
        await asyncio.sleep(600)
    finally:
        Path(path).write_text("cleaned up")


@task
@policy(stop_grace_seconds=1)
def wait_until_cancelled(path: str, how: str) -> str:
    """Be cancelled while something is done; `path` is written once that has begun."""
    Path(path).write_text("begun")
    try:
        WAITS[how]()
    except BaseException as error:
        Path(path).write_text(f"ended by {type(error).__name__}")
        raise
    return "not cancelled"


def _swallow() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(600)


def _compute() -> None:
    while True:
        pass


def _wait_for_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _block_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    time.sleep(600)


def _leave_process_group() -> None:
    os.setpgid(0, os.getpgid(os.getppid()))
    _swallow()


def _loop_in_c() -> None:
    """Never come back to Python, in which signals are looked at."""
    deque(itertools.count(), maxlen=0)


def _wait_for_program() -> None:
    subprocess.run(["sleep", "600"], check=True)


def _query() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_sleep(600)")
        else:
            cursor.execute(ENDLESS_QUERY)


def _query_in_transaction() -> None:
    with transaction.atomic():
        _query()


def _finish_in_broken_transaction() -> None:
    with transaction.atomic():
        try:
            _query()
        finally:
            # Its connection is gone.
            connection.ensure_connection()
            _query()


ENDLESS_QUERY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
)

WAITS = {
    "sleep": lambda: time.sleep(600),
    "swallow": _swallow,
    "compute": _compute,
    "lock": _wait_for_lock,
    "block signals": _block_signals,
    "in C": _loop_in_c,
    "program": _wait_for_program,
    "query": _query,
    "transaction": _query_in_transaction,
    "broken transaction": _finish_in_broken_transaction,
    "other group": _leave_process_group,
}


@task
@policy(stop_grace_seconds=1)
async def wait_until_cancelled_asynchronously(path: str, how: str) -> str:
    Path(path).write_text("begun")
    try:
        await ASYNCHRONOUS_WAITS[how]()
    except BaseException as error:
        Path(path).write_text(f"ended by {type(error).__name__}")
        raise
    return "not cancelled"


async def _compute_asynchronously() -> None:
    _compute()


async def _swallow_asynchronously() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(600)


async def _gather() -> None:
    await asyncio.gather(asyncio.sleep(600), asyncio.sleep(700))


async def _yield() -> None:
    while True:
        await asyncio.sleep(0)


async def _compute_in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(600))
        _compute()


ASYNCHRONOUS_WAITS: dict[str, Any] = {
    "sleep": lambda: asyncio.sleep(600),
    "gather": _gather,
    "compute": _compute_asynchronously,
    "yield": _yield,
    "group": _compute_in_group,
    "swallow": _swallow_asynchronously,
    "query": sync_to_async(_query),
}


@task
async def wait_for_all_others() -> str:
    """Have a task beside, and wait for whatever there is beside this one."""
    beside = asyncio.create_task(asyncio.sleep(0.1, "beside"))
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert others == {beside}
    return (await asyncio.gather(*others))[0]


@task
@policy(timeout_seconds=0.05, stop_grace_seconds=0.05)
def race_with_time_limit(path: str, seconds: float) -> str:
    """Take about as long as is allowed."""
    time.sleep(seconds)
    Path(path).write_text("done")
    return "done"


@task
@policy(timeout_seconds=0.05, stop_grace_seconds=0.05)
async def race_asynchronously(path: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    Path(path).write_text("done")
    return "done"


@task
@policy(timeout_seconds=0.05, stop_grace_seconds=0.05)
def race_with_grace(path: str, seconds: float) -> str:
    """Go on after a stop for about as long as that is allowed."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with suppress(BaseException):
            time.sleep(left)
    Path(path).write_text("done")
    return "done"


@task
@policy(max_attempts=2, retry_on=["tasks_api.exceptions.TaskTimedOut"], timeout_seconds=0.2)
def take_too_long_at_first(path: str) -> str:
    if not Path(path).exists():
        Path(path).write_text("begun")
        time.sleep(600)
    return "in time"


@task
@policy(max_attempts=25, backoff={"initial": 0})
def fail_again_at_length(length: int) -> None:
    raise ValueError("\u20ac" * length)


@task
@policy(
    max_attempts=3,
    backoff={"initial": 0.05},
    retry_on=[OSError, "tasks_api.exceptions.WorkerLost"],
    stop_grace_seconds=0.2,
)
def fail_at_times(path: str, seconds: float) -> None:
    """Fail in half of the attempts; every fourth task does not end when it is told to."""
    attempt = Path(path).read_text().count("\n") if Path(path).exists() else 0
    leave_mark.func(path)
    if int(path.rpartition("-")[2]) % 4:
        time.sleep(seconds)
    else:
        with suppress(BaseException):
            time.sleep(seconds)
        time.sleep(seconds)
    if attempt % 2 == 0:
        raise OSError(path)


@task
@policy(max_attempts=2, backoff={"initial": 3600, "max": 3600})
def fail_after_an_hour_again() -> None:
    raise ValueError


@task
@policy(max_attempts=5, backoff={"initial": 0})
def fail_once_told(path: str, go: str) -> None:
    """Fail when the file `go` is there."""
    Path(path).write_text("begun")
    while not Path(go).exists():
        time.sleep(0.01)
    raise ValueError


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
