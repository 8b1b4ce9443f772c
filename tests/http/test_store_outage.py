"""A store that is down is a 503, and the service recovers by itself when the store is back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartService
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService, wait_until
from tests.postgresql import PostgreSQLServer, create_database

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


@pytest.fixture
def service(
    start_service: StartService, postgresql_server: PostgreSQLServer, tmp_path: Path
) -> LiveService:
    """One web process, so that every connection to the server is one of its pool."""
    database_url = create_database(postgresql_server.url)
    with closing(LiveService(database_url, directory=tmp_path)) as unstarted:
        unstarted.manage("migrate", "--verbosity=0")
    return start_service(
        # The key is believed while the store is away.
        {"WEB_CONCURRENCY": "1", "REMEMBER_KEYS_SECONDS": "600"},
        database_url=database_url,
        worker=False,
    )


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
    service: LiveService, postgresql_server: PostgreSQLServer
) -> None:
    answers = post_at_once(service, 8)
    assert {answer.status_code for answer in answers} == {202}
    url = answers[0].headers["Location"]

    postgresql_server.stop()
    assert_unavailable(service, url)
    assert_unavailable(service, url)
    postgresql_server.start()

    wait_until(lambda: service.get("/readyz").status_code == 200, what="recovery")
    assert {answer.status_code for answer in post_at_once(service, 8)} == {202}
    assert service.get(url).status_code == 200


@pytest.mark.postgres
def test_a_restart_between_two_requests_costs_at_most_one_of_them(
    service: LiveService, postgresql_server: PostgreSQLServer
) -> None:
    post_at_once(service, 8)
    postgresql_server.stop()
    postgresql_server.start()

    statuses = [service.post("/tasks/", CALL).status_code for _ in range(12)]

    assert statuses.count(503) <= 1
    assert set(statuses) <= {202, 503}
