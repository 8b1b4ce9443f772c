"""The real service, from a request to a task's result."""

from tests.conftest import StartService
from tests.live_service import LiveService


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
