"""Tasks whose attempts fail, take too long or are cancelled."""

import asyncio
import itertools
import os
import signal
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.tasks import task

from tasks_api.policies import policy
from tests.worker.tasks import leave_mark


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
