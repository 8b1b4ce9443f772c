"""The real service, from a request to a task's result."""

import socket

from tests.conftest import StartService
from tests.live_service import DEADLINE, LiveService, wait_until


def test_a_task_that_is_enqueued_over_http_is_run_by_the_worker(service: LiveService) -> None:
    task = service.run_task("service.tasks.say_hello", name="Ada")

    assert task["status"] == "SUCCESSFUL"
    assert task["return_value"] == "Hello, Ada!"


def test_a_restart_loses_no_task(start_service: StartService) -> None:
    service = start_service(worker=False)
    enqueued = service.post("/tasks/", {"task": "tests.tasks.give_back", "args": ["kept"]})

    service.restart()
    service.start_worker()

    assert service.wait_for(enqueued.headers["Location"])["return_value"] == "kept"


def test_bytes_reach_the_server_as_they_are(service: LiveService) -> None:
    answer = service.raw(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_the_server_stops_without_waiting_for_idle_connections(start_service: StartService) -> None:
    service = start_service(worker=False)
    server = service.web
    assert server is not None
    with socket.create_connection(("127.0.0.1", service.port), DEADLINE) as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += idle.recv(65536)
        server.terminate()
        # Far less than the time that requests being served are given.
        wait_until(lambda: server.poll() is not None, what="end of the server", deadline=15)
        assert idle.recv(65536) == b""
