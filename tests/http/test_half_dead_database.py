"""A database that is there and of no use: it stands still, is cut off, read-only or full."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.http.test_hostile_bodies import assert_problem
from tests.http.test_store_outage import CALL, post_at_once
from tests.live_service import LiveService, wait_until
from tests.postgresql import PostgreSQLServer

NUMBER = 8


class LiveASGIService(LiveService):
    """The service under gunicorn's worker for ASGI."""

    gunicorn_arguments = (*LiveService.gunicorn_arguments, "--worker-class=asgi")
    wsgi: ClassVar = "service.asgi"


def is_healthy(service: LiveService) -> bool:
    return service.get("/readyz").status_code == 200


def takes_tasks(service: LiveService) -> bool:
    """Tell whether each of the process's connections does."""
    return {answer.status_code for answer in post_at_once(service, NUMBER)} == {202}


def assert_all_unavailable(answers: Iterable[httpx.Response]) -> None:
    for answer in answers:
        assert_problem(answer, 503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.postgres
def test_a_database_that_stands_still_is_a_503_until_it_goes_on(
    server: PostgreSQLServer, copy: str, start: Callable[..., LiveService]
) -> None:
    services = [
        start(copy),
        start(copy, DATABASE_POOL_SIZE="8"),
        start(copy, LiveASGIService),
    ]
    for service in services:
        assert takes_tasks(service)

    with server.paused():
        with ThreadPoolExecutor() as threads:
            posted = threads.map(lambda service: post_at_once(service, NUMBER), services)
            asked = threads.map(lambda service: service.get("/readyz"), services)
        for answers in (*posted, asked):
            assert_all_unavailable(answers)

    for service in services:
        wait_until(lambda s=service: takes_tasks(s), what="recovery")
        assert takes_tasks(service)
        assert is_healthy(service)


class Proxy:
    """Forwards TCP to a server until `cut()`: then the connections of that time hear nothing more."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._cut: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Stop forwarding what is connected now; return how many connections there are."""
        self._cut.update(self._sockets)
        return len(self._cut) // 2

    def close(self) -> None:
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._cut:
                    target.sendall(data)
        if source not in self._cut:
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)


@pytest.mark.postgres
def test_connections_that_died_silently_cost_one_wait(
    server: PostgreSQLServer, copy: str, start: Callable[..., LiveService]
) -> None:
    with closing(Proxy(server.port)) as proxy:
        through = copy.replace(f":{server.port}/", f":{proxy.port}/")
        services = [start(through), start(through, DATABASE_POOL_SIZE="8")]
        for service in services:
            post_at_once(service, NUMBER)
        assert proxy.cut() >= NUMBER

        with ThreadPoolExecutor() as threads:
            assert_all_unavailable(threads.map(lambda one: one.post("/tasks/", CALL), services))
        for service in services:
            assert takes_tasks(service)


@contextmanager
def read_only(server: PostgreSQLServer, database_url: str) -> Iterator[None]:
    """Make a database read-only for the connections that are opened from now on; close the others."""
    name = urlsplit(database_url).path[1:]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


@pytest.mark.postgres
def test_a_read_only_database_is_a_503_and_afterwards_no_connection_stays_read_only(
    server: PostgreSQLServer, copy: str, start: Callable[..., LiveService]
) -> None:
    services = [start(copy), start(copy, DATABASE_POOL_SIZE="8")]
    task_urls = [post_at_once(service, NUMBER)[0].headers["Location"] for service in services]

    with read_only(server, copy):
        for service, task_url in zip(services, task_urls, strict=True):
            assert_all_unavailable(post_at_once(service, NUMBER))
            assert_all_unavailable([service.get("/readyz")])
            assert service.get(task_url).status_code == 200

    for service in services:
        # The first error tells that what was opened meanwhile is of no use.
        wait_until(lambda s=service: takes_tasks(s), what="recovery")
        assert takes_tasks(service)
        assert is_healthy(service)
