"""Fixtures: a PostgreSQL server to mistreat, and services on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.conftest import MigratedDatabase, running
from tests.live_service import LiveService
from tests.postgresql import PostgreSQLServer, create_database

# The key is believed while the database is away; all connections are of one process.
ENV = {"WEB_CONCURRENCY": "1", "REMEMBER_KEYS_SECONDS": "600"}


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQLServer]:
    """A server of its own for the tests that stop it or its disk, and leave it running."""
    with closing(PostgreSQLServer()) as server:
        yield server


@pytest.fixture(scope="session")
def template(
    server: PostgreSQLServer, tmp_path_factory: pytest.TempPathFactory
) -> MigratedDatabase:
    url = create_database(server.url)
    with closing(LiveService(url, directory=tmp_path_factory.mktemp("template"))) as service:
        service.manage("migrate", "--verbosity=0")
        return MigratedDatabase(url, service.create_client("tests"))


@pytest.fixture
def copy(server: PostgreSQLServer, template: MigratedDatabase) -> str:
    return create_database(server.url, template=template.url)


@pytest.fixture
def start(
    template: MigratedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., LiveService]]:
    """A function that starts the one web process of a service on a database of `server`."""
    with ExitStack() as stack:

        def start(
            database_url: str, kind: type[LiveService] = LiveService, **env: str
        ) -> LiveService:
            directory = tmp_path_factory.mktemp("service")
            service = kind(database_url, directory=directory, env={**ENV, **env}, key=template.key)
            return stack.enter_context(running(service, worker=False))

        yield start
