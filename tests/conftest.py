"""Fixtures: databases to throw away, and the real service on one of them."""

import logging
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import pytest
from django.test import Client
from hypothesis import settings

from tasks_api import models
from tasks_api.clients.keys import forget_remembered_keys, issue
from tasks_api.clients.last_use import last_uses
from tasks_api.monitoring.queues import forget_figures
from tests.live_run import RunCommand, Running
from tests.live_service import DEADLINE, LiveService, bearer
from tests.postgresql import PostgreSQLServer, create_database, drop_database

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TOGETHER = ("tests/service/gunicorn_worker/", "tests/project/", "tests/openapi/")
"""Folders whose tests run in one process, because they share what takes long to start."""

running_services: list[LiveService] = []
# A line for each request, while waiting too, would bury what a failing test has to say.
logging.getLogger("httpx").setLevel(logging.WARNING)


class StartService(Protocol):
    """Starts a service with settings of its own; it is stopped when the test is over."""

    def __call__(
        self,
        env: dict[str, str] | None = None,
        *,
        database_url: str | None = None,
        worker: bool = True,
    ) -> LiveService: ...


@contextmanager
def throwaway_database(directory: Path, *, template: str | None = None) -> Iterator[str]:
    """Make a database of the kind that is tested on, empty or a copy, and give its URL."""
    server_url = os.environ["DATABASE_URL"]
    if not server_url.startswith("postgres"):
        file = directory / "db.sqlite3"
        if template:
            shutil.copy(urlsplit(template).path, file)
        yield f"sqlite:///{file}"
        return
    url = create_database(server_url, template=template)
    try:
        yield url
    finally:
        drop_database(url, server_url=server_url)


@contextmanager
def running(service: LiveService, *, worker: bool = True) -> Iterator[LiveService]:
    """Start a service for as long as the block takes; a failing test shows what it logged."""
    running_services.append(service)
    try:
        service.start(worker=worker)
        yield service
    finally:
        running_services.remove(service)
        service.close()


class MigratedDatabase(NamedTuple):
    """A database with tables and one client, to take copies of: nothing connects to it."""

    url: str
    key: str


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MigratedDatabase]:
    """A database with tables and the client of the tests."""
    directory = tmp_path_factory.mktemp("migrated")
    with throwaway_database(directory) as url:
        with closing(LiveService(url, directory=directory)) as service:
            service.manage("migrate", "--verbosity=0")
            key = service.create_client("tests")
        yield MigratedDatabase(url, key)


@pytest.fixture(scope="session")
def service(
    migrated_database: MigratedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    """
    The real service: gunicorn and a worker, on a database of the kind that is tested on.

    All tests of a session share it, so that a test looks at its own tasks only.
    """
    directory = tmp_path_factory.mktemp("service")
    with (
        throwaway_database(directory, template=migrated_database.url) as url,
        running(LiveService(url, directory=directory, key=migrated_database.key)) as service,
    ):
        yield service


@pytest.fixture
def database_url(new_database_url: Callable[[], str]) -> str:
    """The URL of an empty database of the kind that is tested on."""
    return new_database_url()


@pytest.fixture
def new_database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and returns its URL."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(throwaway_database(tmp_path_factory.mktemp("database")))


@pytest.fixture
def start_service(
    migrated_database: MigratedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartService]:
    """A function that starts a service of the test's own, on a new database when none is given."""
    with ExitStack() as stack:

        def start(
            env: dict[str, str] | None = None,
            *,
            database_url: str | None = None,
            worker: bool = True,
        ) -> LiveService:
            directory = tmp_path_factory.mktemp("service")
            key = None
            if database_url is None:
                key = migrated_database.key
                database_url = stack.enter_context(
                    throwaway_database(directory, template=migrated_database.url)
                )
            service = LiveService(database_url, directory=directory, env=env, key=key)
            return stack.enter_context(running(service, worker=worker))

        yield start


@pytest.fixture
def run(new_database_url: Callable[[], str], tmp_path: Path) -> Iterator[RunCommand]:
    """A function that starts the command on an empty database, and waits until it is ready."""
    started: list[Running] = []

    def start(
        arguments: Sequence[str] = (),
        *,
        until_ready: bool = True,
        stdout: int | None = None,
        **environment: str,
    ) -> Running:
        defaults = {
            "DATABASE_URL": new_database_url(),
            "SECRET_KEY": "only-for-tests-which-everybody-may-read",
            "WEB_CONCURRENCY": "1",
        }
        directory = tmp_path / f"run{len(started)}"
        directory.mkdir()
        running = Running(directory, defaults | environment, arguments, stdout)
        started.append(running)
        if until_ready:
            running.wait_until_ready()
        return running

    yield start
    for running in started:
        running.close()


@pytest.fixture
def tasks_client(transactional_db: None) -> Iterator[models.Client]:
    """The client that requests of the fixture `client` are from; it may do all but administer."""
    yield models.Client.objects.create(name="tests")
    last_uses.wait(DEADLINE)


@pytest.fixture
def client(tasks_client: models.Client) -> Client:
    """Django's test client, whose requests carry a key."""
    return Client(headers=bearer(issue(tasks_client).text))


@pytest.fixture
def admin(transactional_db: None) -> Iterator[Client]:
    """Django's test client with the key of an administrator, which this process remembers."""
    administrator = models.Client.objects.create(name="admin", scopes=["admin"])
    client = Client(headers=bearer(issue(administrator).text))
    assert client.get("/client/").status_code == 200
    last_uses.wait(DEADLINE)
    yield client
    last_uses.wait(DEADLINE)


@pytest.fixture(autouse=True)
def no_remembered_key() -> None:
    """A database that is empty again knows none of the keys that this process has seen."""
    forget_remembered_keys()


@pytest.fixture(autouse=True)
def no_shared_figures() -> None:
    """What this process has counted for the test before is not true any more."""
    forget_figures()


@pytest.fixture
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server that a test may stop; mark such a test with `pytest.mark.postgres`."""
    server = PostgreSQLServer()
    try:
        yield server
    finally:
        server.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = next((one for one in TOGETHER if item.nodeid.startswith(one)), None)
        if folder is not None:
            item.add_marker(pytest.mark.xdist_group(folder))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for service in running_services:
            lines: list[Any] = service.log().splitlines()[-60:]
            report.sections.append((f"log of the service at {service.url}", "\n".join(lines)))
    return report
