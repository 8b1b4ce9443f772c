"""PostgreSQL goes away under load, alone or with the workers: every task ends, none runs twice."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.http.test_half_dead_database import Proxy
from tests.live_service import LiveService
from tests.postgresql import PostgreSQLServer, create_database
from tests.worker.conftest import ALIAS, Store, Workers, wait_until

pytestmark = pytest.mark.postgres
LOST = "tasks_api.exceptions.WorkerLost"


class DoomedServer(PostgreSQLServer):
    """A server that a test kills with SIGKILL and starts again."""

    def kill(self) -> None:
        os.kill(self._pid(), signal.SIGKILL)
        # Its backends notice and end; until then no new server starts in the directory.
        wait_until(self._is_startable, what="end of PostgreSQL")

    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _is_startable(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=1).close()
            return False
        return True

    def start(self) -> None:
        def has_started() -> bool:
            with suppress(RuntimeError):
                super(DoomedServer, self).start()
                return True
            return False

        wait_until(has_started, what="PostgreSQL")


@pytest.fixture(scope="module")
def server() -> Iterator[DoomedServer]:
    with closing(DoomedServer()) as server:
        yield server


@pytest.fixture(scope="module")
def template(server: DoomedServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    url = create_database(server.url)
    directory = tmp_path_factory.mktemp("template")
    with closing(LiveService(url, directory=directory)) as service:
        service.manage("migrate", "--verbosity=0")
    return url


@pytest.fixture
def store(
    server: DoomedServer, template: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[Store]:
    store = Store(create_database(server.url, template=template))
    with django_db_blocker.unblock(), closing(store):
        yield store


def enqueue_marks(store: Store, directory: Path, number: int) -> dict[str, Path]:
    marks = [directory / f"mark-{position}" for position in range(number)]
    return {store.enqueue("leave_mark", str(mark), 0.02): mark for mark in marks}


def runs(mark: Path) -> int:
    return mark.read_text().count("\n") if mark.exists() else 0


def test_results_outlast_an_outage(
    server: DoomedServer, store: Store, workers: Workers, tmp_path: Path
) -> None:
    workers.start_and_wait("--processes=2")
    marks = enqueue_marks(store, tmp_path, 200)
    wait_until(lambda: store.tasks.successful().count() > 10, what="load")

    server.kill()
    server.start()

    for task_id, mark in marks.items():
        task = store.wait_for(task_id)
        assert (task.status, runs(mark), len(task.worker_ids)) == ("SUCCESSFUL", 1, 1)


def test_every_task_ends_when_postgresql_and_the_workers_are_killed(
    server: DoomedServer,
    store: Store,
    workers: Workers,
    tmp_path: Path,
    is_gone: Callable[[int], bool],
) -> None:
    parent = workers.start_and_wait("--processes=2", lost_after=2)
    marks = enqueue_marks(store, tmp_path, 100)
    wait_until(lambda: store.tasks.successful().count() > 10, what="load")
    pids = list(store.workers.values_list("pid", flat=True))

    server.kill()
    for pid in [parent.pid, *pids]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: all(is_gone(pid) for pid in pids), what="end of the children")
    server.start()
    workers.start(lost_after=2)

    for task_id, mark in marks.items():
        task = store.wait_for(task_id)
        assert len(task.worker_ids) == 1
        if task.status == "SUCCESSFUL":
            assert runs(mark) == 1
        else:
            assert task.exception_class_path == LOST
            assert runs(mark) <= 1
    assert store.tasks.failed().count() <= 2


def test_a_result_outlasts_an_outage_after_which_others_would_count_the_worker_as_lost(
    server: DoomedServer, store: Store, workers: Workers
) -> None:
    workers.start_and_wait(lost_after=1)
    task_id = store.enqueue("sleep", 1)
    store.wait_for(task_id, "RUNNING")

    server.kill()
    wait_until(lambda: "statement failed and is retried" in workers.log(), what="line")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + 3, what="three seconds")
    server.start()

    task = store.wait_for(task_id)
    assert (task.status, len(task.worker_ids)) == ("SUCCESSFUL", 1)


def test_a_process_that_alone_is_cut_off_from_the_database_is_replaced(
    store: Store, workers: Workers
) -> None:
    workers.start_and_wait(lost_after=2)
    # It leaves no room for a new connection, and the one that there is will be gone.
    task_id = store.enqueue("tests.worker.leaving.use_up_files", 3)
    store.wait_for(task_id, "RUNNING")
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    task = store.wait_for(task_id)
    assert (task.status, task.exception_class_path) == ("FAILED", LOST)
    assert f"the result of task {task_id} is dropped" in workers.log()
    assert store.wait_for(store.enqueue("add", 1, 2)).status == "SUCCESSFUL"


def test_a_worker_notices_a_server_that_stands_still_and_says_so(
    server: DoomedServer, store: Store, workers: Workers
) -> None:
    # Its statements then wait for three seconds.
    workers.start_and_wait(lost_after=9)
    task_id = store.enqueue("sleep", 1)
    store.wait_for(task_id, "RUNNING")

    with server.paused():
        for what in ("A database statement failed and is retried", "Heartbeats cannot be written"):
            line = f"{what}: the database has not answered for 3 seconds"
            wait_until(lambda line=line: line in workers.log(), what=line)

    task = store.wait_for(task_id)
    assert (task.status, len(task.worker_ids)) == ("SUCCESSFUL", 1)
    assert store.wait_for(store.enqueue("add", 1, 2)).worker_ids == task.worker_ids
    wait_until(lambda: "Heartbeats are written again" in workers.log(), what="heartbeats")
    assert "The database works again" in workers.log()


def test_connections_that_died_silently_are_renewed(
    server: DoomedServer, store: Store, workers: Workers
) -> None:
    with closing(Proxy(server.port)) as proxy:
        # The test itself goes on asking the server.
        store.url = store.url.replace(f":{server.port}/", f":{proxy.port}/")
        workers.start_and_wait(lost_after=9)
        task_id = store.enqueue("sleep", 1)
        store.wait_for(task_id, "RUNNING")

        assert proxy.cut() >= 2

        task = store.wait_for(task_id)
        assert (task.status, len(task.worker_ids)) == ("SUCCESSFUL", 1)
        line = "is retried: the database has not answered for 3 seconds"
        assert line in workers.log()
        wait_until(lambda: "Heartbeats are written again" in workers.log(), what="heartbeats")


def test_a_result_waits_for_a_server_that_is_read_only(
    server: DoomedServer, store: Store, workers: Workers
) -> None:
    workers.start_and_wait(lost_after=2)
    task_id, waiting = store.enqueue("sleep", 1), store.enqueue("add", 1, 2)
    store.wait_for(task_id, "RUNNING")

    with read_only(server):
        wait_until(lambda: "failed and is retried: cannot execute" in workers.log(), what="line")
        since = time.monotonic()
        wait_until(lambda: time.monotonic() > since + 3, what="longer than until workers are lost")
        assert store.get(task_id).status == "RUNNING"

    task = store.wait_for(task_id)
    assert (task.status, len(task.worker_ids)) == ("SUCCESSFUL", 1)
    assert store.wait_for(waiting).worker_ids == task.worker_ids
    assert "is replaced" not in workers.log()


@contextmanager
def read_only(server: DoomedServer) -> Iterator[None]:
    """Let the server refuse whatever writes, as after a failover to a standby."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
