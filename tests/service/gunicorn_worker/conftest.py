"""The service under each worker class and each of gunicorn's parsers, with short limits."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import MigratedDatabase, running, throwaway_database
from tests.live_service import PROJECT, LiveService

KINDS = [
    ("gthread", "fast"),
    ("gthread", "python"),
    ("asgi", "fast"),
    ("asgi", "python"),
]
THREADS = 2
HEAD_SECONDS = PATIENCE_SECONDS = 4

type StartServer = Callable[..., LiveService]


def configure(service: LiveService, worker_class: str, parser: str, *, also: str = "") -> None:
    """Let gunicorn read the service's file after its limits have been changed."""
    conf = service.log_file.with_name("gunicorn.conf.py")
    given = PROJECT / "service" / "gunicorn.conf.py"
    conf.write_text(f"""
import resource
from service.gunicorn_worker import limits
limits.HEAD_SECONDS = {HEAD_SECONDS}
limits.PATIENCE_SECONDS = {PATIENCE_SECONDS}
limits.LINGER_SECONDS = 1
{also}
exec(open({str(given)!r}).read())
http_parser = {parser!r}
""")
    service.gunicorn_arguments = (f"--config={conf}",)
    if worker_class == "asgi":
        service.gunicorn_arguments += ("--worker-class=asgi",)
        service.wsgi = "service.asgi"  # type: ignore[misc]


@pytest.fixture(scope="session")
def start_server(
    migrated_database: MigratedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartServer]:
    """A function that starts the web process, on a database of its own."""
    with ExitStack() as stack:

        def start(
            worker_class: str, parser: str, *, also: str = "", worker: bool = False
        ) -> LiveService:
            if parser == "fast":
                pytest.importorskip("gunicorn_h1c")
            directory = Path(tmp_path_factory.mktemp("server"))
            database = throwaway_database(directory, template=migrated_database.url)
            env = {"WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS)}
            service = LiveService(
                stack.enter_context(database),
                directory=directory,
                env=env,
                key=migrated_database.key,
            )
            configure(service, worker_class, parser, also=also)
            return stack.enter_context(running(service, worker=worker))

        yield start


@pytest.fixture(scope="session")
def servers() -> dict[tuple[str, str], LiveService]:
    """Those that have been started, by worker class and parser."""
    return {}


def _server_of(
    kind: tuple[str, str],
    servers: dict[tuple[str, str], LiveService],
    start_server: StartServer,
) -> LiveService:
    if kind not in servers:
        servers[kind] = start_server(*kind)
    return servers[kind]


@pytest.fixture(params=KINDS, ids="-".join)
def server(
    request: pytest.FixtureRequest,
    servers: dict[tuple[str, str], LiveService],
    start_server: StartServer,
) -> LiveService:
    """The service, once for each worker class and parser; tests share it."""
    return _server_of(request.param, servers, start_server)


@pytest.fixture(params=KINDS[:2], ids="-".join)
def threaded_server(
    request: pytest.FixtureRequest,
    servers: dict[tuple[str, str], LiveService],
    start_server: StartServer,
) -> LiveService:
    """The service under the threaded worker, once for each parser."""
    return _server_of(request.param, servers, start_server)
