"""A store that is down is a 503, and the service recovers by itself when the store is back."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService, wait_until
from tests.postgresql import PostgreSQLServer

CALL = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}


def assert_unavailable(service: LiveService, url: str) -> None:
    for response in (service.post("/tasks/", CALL), service.get(url), service.get("/readyz")):
        problem = assert_problem(response, 503, "store_unavailable")
        assert int(response.headers["Retry-After"]) >= 1
        assert "127.0.0.1" not in str(problem)
    # What asks no store is served as ever.
    assert service.get("/livez").status_code == 200
    assert service.get("/task-types/").status_code == 200
    assert_problem(service.post("/tasks/", {"task": "nothing"}), 400, "unknown_task")


def post_at_once(service: LiveService, number: int) -> list[httpx.Response]:
    """Send so many requests that each gets a connection of its own."""
    barrier = threading.Barrier(number)

    def post(_: int) -> httpx.Response:
        barrier.wait(10)
        return service.post("/tasks/", CALL)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(post, range(number)))


@pytest.mark.postgres
def test_a_stopped_postgresql_is_a_503_until_it_is_back(
    server: PostgreSQLServer, copy: str, start: Callable[..., LiveService]
) -> None:
    service = start(copy)
    answers = post_at_once(service, 8)
    assert {answer.status_code for answer in answers} == {202}
    url = answers[0].headers["Location"]

    server.stop()
    assert_unavailable(service, url)
    assert_unavailable(service, url)
    server.start()

    wait_until(lambda: service.get("/readyz").status_code == 200, what="recovery")
    assert {answer.status_code for answer in post_at_once(service, 8)} == {202}
    assert service.get(url).status_code == 200


@pytest.mark.postgres
def test_a_restart_between_two_requests_costs_none_of_them(
    server: PostgreSQLServer, copy: str, start: Callable[..., LiveService]
) -> None:
    services = [start(copy), start(copy, DATABASE_POOL_SIZE="8")]
    for service in services:
        post_at_once(service, 8)
    for mode in ("fast", "immediate"):
        server.stop(mode)
        server.start()
        for service in services:
            answers = post_at_once(service, 8) + post_at_once(service, 8)
            assert {answer.status_code for answer in answers} == {202}
