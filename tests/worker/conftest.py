"""Fixtures: a database to throw away, tasks in it, and real workers on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import environ
import pytest
from django.db import connections
from django.db.utils import InterfaceError, OperationalError
from django_tasks_db.models import DBTaskResult, get_date_max
from pytest_django import DjangoDbBlocker

from tasks_api.backends.database.stopping import request_stop
from tasks_api.ids import new_task_id
from tasks_api.models import Worker
from tests import live_service
from tests.conftest import MigratedDatabase, throwaway_database
from tests.live_service import PROJECT

ALIAS = "tasks"
ATTEMPT_TASKS = "tests.worker.attempt_tasks."
# Long: several Python processes may have to start on a busy machine.
DEADLINE = 90.0


def wait_until[Value](condition: Callable[[], Value], *, what: str) -> Value:
    return live_service.wait_until(condition, what=what, deadline=DEADLINE)


class Store:
    """The database that the workers of a test use, seen by the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        config = environ.Env.db_url_config(url)
        if url.startswith("sqlite"):
            config["OPTIONS"] = {
                "init_command": "PRAGMA journal_mode=WAL",
                "timeout": 10,
                "transaction_mode": "IMMEDIATE",
            }
        given = {"default": connections.settings["default"], ALIAS: config}
        connections.settings[ALIAS] = connections.configure_settings(given)[ALIAS]

    def close(self) -> None:
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]

    @property
    def tasks(self) -> Any:
        return DBTaskResult.objects.using(ALIAS)

    @property
    def workers(self) -> Any:
        return Worker.objects.using(ALIAS)

    def enqueue(self, name: str, *args: Any, **columns: Any) -> str:
        """
        Store a task as `enqueue()` would; columns override its row.

        A name without a dot is one of `tests.worker.tasks`.
        """
        row = {
            "id": new_task_id(),
            "args_kwargs": {"args": list(args), "kwargs": {}},
            "task_path": name if "." in name else f"tests.worker.tasks.{name}",
            "queue_name": "default",
            "backend_name": "default",
            "run_after": get_date_max(),
            **columns,
        }
        return str(self.tasks.create(**row).pk)

    def get(self, task_id: str) -> Any:
        return self.tasks.defer("args_kwargs").get(pk=task_id)

    def wait_for(self, task_id: str, *statuses: str) -> Any:
        """Return the task once it has one of the statuses; without any, once it is finished."""
        wanted = statuses or ("SUCCESSFUL", "FAILED")

        def in_time() -> Any:
            # A test that stops the server asks on.
            with suppress(OperationalError, InterfaceError):
                task = self.get(task_id)
                return task if task.status in wanted else None
            connections[ALIAS].close()
            return None

        return wait_until(in_time, what=f"task {wanted}")


def cancel(task_id: str) -> None:
    """Cancel a task that runs, as `POST /tasks/{id}/cancel/` does."""
    request_stop(UUID(task_id), using=ALIAS)


class Workers:
    """Starts the real command; whatever still runs after the test is killed."""

    def __init__(self, store: Store, log_file: Path) -> None:
        self._store = store
        self._log_file = log_file
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        *arguments: str,
        lost_after: int = 30,
        command: str = "worker",
        under: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a management command, if wanted by another program that is given its command line."""
        environment = {
            **os.environ,
            "SECRET_KEY": "only-for-tests-which-everybody-may-read",
            "DATABASE_URL": self._store.url,
            "LOST_AFTER_SECONDS": str(lost_after),
        }
        line = [sys.executable, "-m", "django", command, "--settings=tests.worker.settings"]
        with self._log_file.open("ab") as log:
            process = subprocess.Popen(
                [*under, *line, *arguments],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)
        return process

    def start_and_wait(self, *arguments: str, lost_after: int = 30) -> subprocess.Popen[bytes]:
        """Start a worker and wait until each of its children has a row."""
        known = self._store.workers.count()
        process = self.start(*arguments, lost_after=lost_after)
        children = next((int(a.split("=")[1]) for a in arguments if "--processes" in a), 1)
        wait_until(lambda: self._store.workers.count() == known + children, what="worker's row")
        return process

    def run_batch(self, *arguments: str) -> None:
        """Run all that is ready, and wait for the end."""
        assert self.start("--batch", *arguments).wait(DEADLINE) == 0, self.log()

    @contextmanager
    def stopped(self, parent: subprocess.Popen[bytes]) -> Iterator[None]:
        """Have a parent do nothing for as long as the block takes."""
        parent.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            parent.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                # A test may have stopped it.
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()


@pytest.fixture
def store(
    tmp_path: Path, migrated_database: MigratedDatabase, django_db_blocker: DjangoDbBlocker
) -> Iterator[Store]:
    with throwaway_database(tmp_path, template=migrated_database.url) as url:
        store = Store(url)
        with django_db_blocker.unblock():
            try:
                yield store
            finally:
                store.close()


@pytest.fixture
def workers(store: Store, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(store, tmp_path / "worker.log")
    yield workers
    workers.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    workers = getattr(item, "funcargs", {}).get("workers")
    if report.failed and workers is not None and workers._log_file.exists():
        report.sections.append(("log of the workers", workers.log()[-6000:]))
    return report


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """A function that tells whether a process has ended."""

    def check(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"

    return check
