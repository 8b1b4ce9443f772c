"""New connections go to the process that has the fewest."""

import socket
from contextlib import ExitStack

import psutil
import pytest

from service.gunicorn_worker import shares
from service.gunicorn_worker.shares import Share
from tests.live_service import LiveService, wait_until
from tests.service.gunicorn_worker.conftest import StartServer

pytestmark = pytest.mark.sqlite

CONNECTIONS = 20
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


def numbers(service: LiveService) -> list[int]:
    """Return how many clients are connected to each web process."""
    assert service.web is not None
    return [
        sum(each.status == psutil.CONN_ESTABLISHED for each in process.net_connections("tcp"))
        for process in psutil.Process(service.web.pid).children()
    ]


def connect(service: LiveService, stack: ExitStack) -> bool:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
    client.sendall(LIVEZ)
    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    return True


def test_connections_that_stay_open_are_shared_by_the_processes(start_server: StartServer) -> None:
    also = """
import os
from service.gunicorn_worker import shares
os.environ["WEB_CONCURRENCY"] = "2"
# On a machine that is busy, the other process needs longer than usual.
shares.YIELD_SECONDS = 0.1
"""
    service = start_server("gthread", "python", also=also)
    with ExitStack() as stack:
        # Both have started when both have a connection.
        wait_until(lambda: connect(service, stack) and min(numbers(service)) > 0, what="both")
    wait_until(lambda: sum(numbers(service)) == 0, what="end of these connections")
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connect(service, stack)
        # Without this, it is up to chance, and often one process has nearly all.
        wait_until(lambda: sum(numbers(service)) >= CONNECTIONS, what="all connections")
        assert min(numbers(service)) >= CONNECTIONS // 4


def test_only_a_process_with_more_than_another_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(shares.time, "sleep", waits.append)
    here, there = Share(1), Share(2)
    with here.taking_part():
        here.yield_to_others(3)
        assert not waits
        with there.taking_part():
            there.update(3)
            here.yield_to_others(3)
            assert not waits
            here.yield_to_others(4)
            assert waits == [shares.YIELD_SECONDS]
        here.yield_to_others(4)
        assert len(waits) == 1
