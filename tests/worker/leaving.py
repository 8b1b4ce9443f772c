"""Tasks that leave something behind in their process or database session, and tasks that look for it."""

import decimal
import gc
import locale
import logging
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.dispatch import receiver
from django.tasks import task
from django.tasks.signals import task_finished, task_started
from django.utils import timezone, translation

logger = logging.getLogger("tests.worker")
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
kept_connection = connections["default"]
seen_by_receivers: dict[str, str] = {}


@receiver(task_started)
def enter(task_result: Any, **_: Any) -> None:
    if task_result.task.name == "tell_tenant":
        tenant.set(f"entered for {task_result.id}")


@receiver(task_finished)
def leave(task_result: Any, **_: Any) -> None:
    if task_result.task.name == "tell_tenant":
        seen_by_receivers[task_result.id] = tenant.get()
    if task_result.task.name == "query_afterwards":
        leave_session.func()


@task
def tell_tenant() -> str:
    return tenant.get()


@task
def tell_seen_by_receivers() -> dict[str, str]:
    return seen_by_receivers


@task
def leave_context() -> None:
    translation.activate("de")
    timezone.activate(ZoneInfo("Asia/Tokyo"))
    tenant.set("somebody")
    decimal.getcontext().prec = 3


@task
async def leave_context_later() -> None:
    leave_context.func()
    await sync_to_async(leave_context.func)()


@task
def tell_context_variables() -> dict[str, Any]:
    return {
        "language": translation.get_language(),
        "time zone": timezone.get_current_timezone_name(),
        "tenant": tenant.get(),
        "precision": decimal.getcontext().prec,
    }


@task
def leave_session() -> None:
    """Change what both kinds of databases keep for a session."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE left_behind (number integer)")
        for statement in {
            "postgresql": [
                "SET statement_timeout = '50ms'",
                "SELECT pg_advisory_lock(12)",
                "SET default_transaction_read_only = on",
            ],
            "sqlite": ["PRAGMA query_only = on", "PRAGMA busy_timeout = 1"],
        }[connection.vendor]:
            cursor.execute(statement)


@task
def query_afterwards() -> None:
    """Its receiver leaves what `leave_session` does."""


@task
def leave_session_of_kept_connection() -> None:
    with kept_connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE left_behind (number integer)")


@task
def tell_session_of_kept_connection() -> list[str]:
    return temporary_tables(kept_connection)


@task
async def leave_session_later() -> None:
    await sync_to_async(leave_session.func)()


@task
def tell_session() -> dict[str, Any]:
    """Tell what is left of what other tasks have set, in this session and in others that are still open."""
    gc.enable()
    questions = {
        "postgresql": {
            "statement_timeout": "SHOW statement_timeout",
            "read_only": "SHOW default_transaction_read_only",
        },
        "sqlite": {"query_only": "PRAGMA query_only", "busy_timeout": "PRAGMA busy_timeout"},
    }[connection.vendor]
    left = {name: value_of(question) for name, question in questions.items()}
    left["locks"] = what_stays(advisory_locks)
    left["tables"] = temporary_tables(connection)
    return left


def what_stays[Found](look: Callable[[], Found]) -> Found:
    """Look again while there is something: the server ends a session only after its client has closed it."""
    deadline = time.monotonic() + 10
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def advisory_locks() -> int:
    if connection.vendor == "sqlite":
        return 0
    return int(value_of("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))


def value_of(question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def temporary_tables(connection: Any) -> list[str]:
    query = {
        "postgresql": "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'",
        "sqlite": "SELECT name FROM sqlite_temp_master",
    }[connection.vendor]

    def look() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return [name for (name,) in cursor.fetchall()]

    return what_stays(look)


@task
def hold_write_lock() -> None:
    """Leave a transaction open that keeps others from writing, on SQLite even the worker."""
    transaction.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_tasks_database_dbtaskresult SET priority = 99")


@task
def hold_write_lock_in_thread() -> None:
    # Python would collect the thread's connection at some time, and end the transaction with it.
    gc.disable()
    thread = threading.Thread(target=hold_write_lock.func)
    thread.start()
    thread.join()


@task
async def hold_write_lock_in_any_thread() -> None:
    gc.disable()
    await sync_to_async(hold_write_lock.func, thread_sensitive=False)()


@task
def close_under_django() -> None:
    """Close the driver's connection, as a server may that is stopped."""
    connection.ensure_connection()
    connection.connection.close()


def never(*_: Any) -> None:
    raise RuntimeError("a handler that another task has left")


HANDLERS: dict[str, Any] = {"ignored": signal.SIG_IGN, "default": signal.SIG_DFL, "own": never}


@task
def leave_handlers(kind: str) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(signum, HANDLERS[kind])


@task
def leave_process_state() -> None:
    os.umask(0o077)
    locale.setlocale(locale.LC_ALL, "C")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)


@task
def leave_alarm() -> None:
    """Leave a timer that goes off now and then, with a handler that raises."""
    signal.signal(signal.SIGALRM, never)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)


@task
def tell_process_state() -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "handlers": [_name(signal.getsignal(number)) for number in sorted(signal.Signals)],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "timer": signal.getitimer(signal.ITIMER_REAL)[0],
        "umask": umask,
        "directory": os.getcwd(),
        "locale": locale.setlocale(locale.LC_ALL),
    }


def _name(handler: Callable[..., Any] | int | None) -> str:
    return getattr(handler, "__qualname__", str(handler))


@task
def sleep_deaf(seconds: float) -> None:
    """Ignore every signal that can be ignored, and sleep."""
    leave_handlers.func("ignored")
    logger.info("DEAF")
    time.sleep(seconds)


@task
def start_program(path: str, seconds: float) -> None:
    """Start a program that takes minutes, write its process id to a file, and sleep."""
    program = subprocess.Popen(["sleep", "300"])
    Path(path).write_text(str(program.pid))
    time.sleep(seconds)


@task
def start_program_and_die(path: str, status: int) -> None:
    start_program.func(path, 0)
    os._exit(status)


@task
def fork(path: str, outcome: str) -> str:
    """Fork; both processes go on, and the new one notes its id. The original waits for its end."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return f"status {os.waitstatus_to_exitcode(status)}"
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if outcome == "raises":
        raise RuntimeError("in the copy")
    if outcome == "exits":
        raise SystemExit(7)
    return "from the copy"


@task
async def fork_later(path: str, outcome: str) -> str:
    # The task's own thread is there, and its connection is open.
    await sync_to_async(temporary_tables)(connection)
    return fork.func(path, outcome)


@task
def use_up_files(seconds: float) -> None:
    """Let the process open no other file or connection, and sleep."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    time.sleep(seconds)


@task
def leave_orphan() -> None:
    """Leave a program whose parent is gone, and which ends at once."""
    subprocess.run(["sh", "-c", "sleep 0 & sleep 0.1 &"], check=True)


@task
def tell_processes() -> list[str]:
    """Tell the name and the state of each process that this one can see."""
    seen = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        name, _, rest = file.read_text().partition("(")[2].rpartition(")")
        seen.append(f"{name} {rest.split()[0]}")
    return sorted(seen)
