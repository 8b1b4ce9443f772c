"""Tasks that behave, and tasks that do what no task should."""

import logging
import os
import re
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.dispatch import receiver
from django.tasks import TaskContext, task
from django.tasks.signals import task_finished, task_started

logger = logging.getLogger("tests.worker")


@receiver(task_started)
def note_start(task_result: Any, **_: Any) -> None:
    logger.info("SIGNAL started %s %s", task_result.id, task_result.status)


@receiver(task_finished)
def note_end(sender: type, task_result: Any, **_: Any) -> None:
    logger.info("SIGNAL finished %s %s", task_result.id, task_result.status)
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
