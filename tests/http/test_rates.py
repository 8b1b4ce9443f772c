"""Rates: exactly as many requests pass as a client's rate says, and it is told what is left."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from django.core.cache import cache
from django.test import Client, override_settings

from tasks_api import models
from tasks_api.clients.caller import Caller
from tasks_api.clients.keys import forget_remembered_keys, issue
from tasks_api.clients.rate import Rate
from tasks_api.http.access import rates
from tasks_api.problems import StoreUnavailable
from tests.conftest import StartService
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, LiveService, bearer
from tests.redis import PROGRAM, running_redis

CALL = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})

in_process = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def limited(tasks_client: models.Client, client: Client) -> Client:
    """The client of the tests, with a rate."""
    models.Client.objects.update(rate="3/min")
    return client


@pytest.fixture
def clock() -> Iterator[Any]:
    with patch("time.time", return_value=1_000_000_000.0) as clock:
        yield clock


def caller(rate: str, number: int = 60) -> Caller:
    row = models.Client(number=number, name="limited", rate=rate)
    return Caller.of(row)


def statuses_at_once(service: LiveService, key: str, number: int) -> list[int]:
    barrier = threading.Barrier(number)

    def send(_: int) -> httpx.Response:
        barrier.wait(DEADLINE)
        return service.get("/client/", headers=bearer(key))

    with ThreadPoolExecutor(number) as threads:
        return [response.status_code for response in threads.map(send, range(number))]


@pytest.mark.sqlite
def test_one_process_counts_exactly_in_local_memory(start_service: StartService) -> None:
    service = start_service({"WEB_CONCURRENCY": "1"}, worker=False)
    key = service.create_client("limited", "--rate=20/day")
    statuses = statuses_at_once(service, key, 50)

    assert (statuses.count(200), statuses.count(429)) == (20, 30)


@pytest.mark.sqlite
@pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server")
def test_several_processes_count_exactly_in_redis(
    start_service: StartService, tmp_path: Path
) -> None:
    with running_redis(tmp_path) as url:
        service = start_service({"WEB_CONCURRENCY": "3", "CACHE_URL": url}, worker=False)
        created = service.manage("create_client", "limited", "--rate=20/day")
        statuses = statuses_at_once(service, created.stdout.strip(), 60)

        assert created.stderr == ""
        assert (statuses.count(200), statuses.count(429)) == (20, 40)


@pytest.mark.sqlite
@pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server")
def test_without_redis_a_limited_client_waits_and_others_notice_nothing(
    start_service: StartService, tmp_path: Path
) -> None:
    with running_redis(tmp_path) as url:
        service = start_service({"CACHE_URL": url}, worker=False)
    limited = service.create_client("limited", "--rate=20/day")
    response = service.get("/client/", headers=bearer(limited))

    assert_problem(response, 503, "store_unavailable")
    assert response.headers["Retry-After"]
    assert service.get("/client/").status_code == 200


@in_process
def test_every_answer_to_a_limited_client_says_what_is_left(limited: Client) -> None:
    answers = [
        limited.get("/task-types/"),
        limited.get("/tasks/x/"),
        limited.post("/tasks/", "{", content_type="application/json"),
        limited.get("/client/"),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 400, 429]
    for left, answer in zip((2, 1, 0, 0), answers, strict=True):
        assert answer.headers["RateLimit-Policy"] == '"default";q=3;w=60'
        match = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
        assert match is not None
        assert int(match[1]) == left
        assert 1 <= int(match[2]) <= 60
    assert_problem(answers[-1], 429, "throttled")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


@in_process
def test_a_throttled_request_enqueues_nothing(limited: Client) -> None:
    for expected in (202, 202, 202, 429, 429):
        response = limited.post("/tasks/", CALL, content_type="application/json")
        assert response.status_code == expected

    models.Client.objects.update(rate="")
    forget_remembered_keys()
    assert len(limited.get("/tasks/").json()["results"]) == 3


@in_process
def test_what_needs_no_key_is_not_counted(limited: Client) -> None:
    for path in ("/livez", "/readyz", "/docs/", "/openapi.json", "/nothing"):
        assert "RateLimit" not in limited.get(path).headers
    assert limited.options("/tasks/").status_code == 204
    assert limited.get("/client/").headers["RateLimit"].startswith('"default";r=2;')


@in_process
def test_a_client_without_a_rate_pays_nothing(client: Client) -> None:
    with override_settings(CACHES={"default": {"BACKEND": "nowhere.Cache"}}):
        response = client.get("/client/")

    assert response.status_code == 200
    assert "RateLimit" not in response.headers
    assert "RateLimit-Policy" not in response.headers


@in_process
def test_a_rate_is_the_clients_not_the_keys(limited: Client, tasks_client: models.Client) -> None:
    second = Client(headers=bearer(issue(tasks_client).text))
    other = Client(headers=bearer(issue(models.Client.objects.create(name="o", rate="3/min")).text))

    for _ in range(3):
        assert limited.get("/client/").status_code == 200
    assert second.get("/client/").status_code == 429
    assert other.get("/client/").status_code == 200


def test_who_am_i_tells_the_rate() -> None:
    for text in ("1/s", "100/min", "5/h", "999999999/day"):
        assert str(Rate.of(text)) == text
    assert Rate.of("") is None


def test_a_new_window_begins_when_the_client_is_told(clock: Any) -> None:
    limited = caller("2/min")
    assert [rates.spend(limited).remaining for _ in range(3)] == [1, 0, 0]  # type: ignore[union-attr]
    allowance = rates.spend(limited)
    assert allowance is not None

    clock.return_value += allowance.resets_in - 1
    assert rates.spend(limited).is_exceeded  # type: ignore[union-attr]
    clock.return_value += 1
    assert rates.spend(limited).remaining == 1  # type: ignore[union-attr]


def test_windows_of_different_clients_begin_at_different_moments(clock: Any) -> None:
    resets = {rates.spend(caller("1/min", number)).resets_in for number in range(1, 30)}  # type: ignore[union-attr]

    assert len(resets) > 20


def test_a_batch_counts_its_tasks_and_one_that_does_not_fit_none(clock: Any) -> None:
    limited = caller("10/min")
    assert rates.spend(limited, 4).remaining == 6  # type: ignore[union-attr]
    assert rates.spend(limited, 7, all_or_none=True).is_exceeded  # type: ignore[union-attr]
    assert rates.spend(limited, 6).remaining == 0  # type: ignore[union-attr]


def test_changing_a_rate_begins_to_count_anew(clock: Any) -> None:
    assert rates.spend(caller("1/min")).remaining == 0  # type: ignore[union-attr]
    assert rates.spend(caller("5/min")).remaining == 4  # type: ignore[union-attr]


def test_threads_count_exactly(clock: Any) -> None:
    limited = caller("100/min")
    with ThreadPoolExecutor(16) as threads:
        spent = list(threads.map(lambda _: rates.spend(limited), range(300)))

    assert sum(not allowance.is_exceeded for allowance in spent) == 100  # type: ignore[union-attr]
    assert sorted({allowance.remaining for allowance in spent})[-1] == 99  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [ConnectionError("no server"), ValueError("no such key")])
def test_what_cannot_be_counted_does_not_pass(error: Exception) -> None:
    with (
        patch.object(type(rates.cache), "__getattr__", side_effect=error)
        if isinstance(error, ConnectionError)
        else override_settings(
            CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        ),
        pytest.raises(StoreUnavailable),
    ):
        rates.spend(caller("1/min"))
