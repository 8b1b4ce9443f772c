"""Rates: exactly as many requests pass as a client's rate says, and it is told what is left."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from tasks_api import models
from tasks_api.clients.caller import Caller
from tasks_api.clients.keys import forget_remembered_keys, issue
from tasks_api.clients.rate import Rate
from tasks_api.http.access import rates
from tasks_api.models import rate_count
from tasks_api.problems import StoreUnavailable
from tasks_api.retention.pruning import prune
from tests.conftest import StartService
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, LiveService, bearer
from tests.redis import PROGRAM, running_redis

CALL = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})

REAL_CLOCKS = dict(rate_count._CLOCKS)
in_process = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limited(tasks_client: models.Client, client: Client) -> Client:
    """The client of the tests, with a rate."""
    models.Client.objects.update(rate="3/min")
    return client


class Clock:
    """The clock of this process and of the database."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.set(1_000_000_000)

    def set(self, now: int) -> None:
        self.now = self._process.return_value = now
        for vendor in rate_count._CLOCKS:
            rate_count._CLOCKS[vendor] = str(now)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with patch("time.time") as process, patch.dict(rate_count._CLOCKS):
        yield Clock(process)


def counting_in_the_cache(**settings_besides: Any) -> Any:
    rates = {**settings.TASKS_API, "RATE_CACHE": "default"}
    return override_settings(TASKS_API=rates, **settings_besides)


@pytest.fixture(params=["in one statement", "in a transaction", "in a cache"])
def counted(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """Where requests are counted."""
    with ExitStack() as stack:
        if request.param == "in a transaction":
            stack.enter_context(patch.dict(rate_count._CLOCKS, clear=True))
        elif request.param == "in a cache":
            stack.enter_context(counting_in_the_cache())
            cache.clear()
        yield request.param


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


def test_several_processes_count_exactly_in_the_database(start_service: StartService) -> None:
    service = start_service({"WEB_CONCURRENCY": "2"}, worker=False)
    created = service.manage("create_client", "limited", "--rate=5/day")
    statuses = statuses_at_once(service, created.stdout.strip(), 24)

    assert created.stderr == ""
    assert (statuses.count(200), statuses.count(429)) == (5, 19)


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
    client.get("/client/")
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/client/")

    assert len(queries) == 0
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


def spend(caller: Caller, number: int = 1) -> rates.Allowance:
    allowance = rates.spend(caller, number)
    assert allowance is not None
    return allowance


def test_a_new_window_begins_when_the_client_is_told(clock: Clock, counted: str) -> None:
    limited = caller("2/min")
    assert [spend(limited).remaining for _ in range(3)] == [1, 0, 0]
    allowance = spend(limited)

    clock.set(clock.now + allowance.resets_in - 1)
    assert spend(limited).is_exceeded
    clock.set(clock.now + 1)
    assert spend(limited).remaining == 1


def test_windows_of_different_clients_begin_at_different_moments(
    clock: Clock, counted: str
) -> None:
    resets = {spend(caller("1/min", number)).resets_in for number in range(1, 30)}

    assert len(resets) > 20


def test_a_batch_counts_its_tasks_and_one_that_does_not_fit_none(
    clock: Clock, counted: str
) -> None:
    limited = caller("10/min")
    assert spend(limited, 4).remaining == 6
    refused = spend(limited, 7)
    assert (refused.is_exceeded, refused.remaining) == (True, 6)
    assert spend(limited, 6).remaining == 0


def test_changing_a_rate_begins_to_count_anew(clock: Clock, counted: str) -> None:
    assert spend(caller("1/min")).remaining == 0
    assert spend(caller("5/min")).remaining == 4


def test_threads_count_exactly(clock: Clock, counted: str) -> None:
    limited = caller("100/min")

    def spend_in_thread(_: int) -> rates.Allowance:
        try:
            return spend(limited)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        spent = list(threads.map(spend_in_thread, range(200)))

    assert sum(not allowance.is_exceeded for allowance in spent) == 100
    assert max(allowance.remaining for allowance in spent) == 99


@in_process
def test_a_request_that_waited_for_the_row_belongs_to_the_window_that_has_begun(
    clock: Clock,
) -> None:
    limited = caller("2/min")
    before = clock.now
    clock.set(before + spend(limited).resets_in)
    assert spend(limited).remaining == 1
    clock.set(before)
    assert spend(limited).remaining == 0
    clock.set(before - 600)
    assert spend(limited).remaining == 1


@in_process
def test_counting_is_one_statement_and_refusing_two() -> None:
    limited = caller("1/day")
    with CaptureQueriesContext(connection) as queries:
        assert spend(limited).remaining == 0
    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]
    with CaptureQueriesContext(connection) as queries:
        assert spend(limited).is_exceeded
    assert [query["sql"].split()[0] for query in queries] == ["INSERT", "SELECT"]


@in_process
def test_counts_of_past_windows_are_removed(clock: Clock) -> None:
    spend(caller("1/min", 7))
    clock.set(int(time.time()))
    with patch.dict(rate_count._CLOCKS, REAL_CLOCKS):
        spend(caller("1/day", 8))
        assert prune(lambda seconds: False)["rate counts"] == 1

    assert [row.client_number for row in models.RateCount.objects.all()] == [8]


def test_what_cannot_be_counted_does_not_pass() -> None:
    with (
        counting_in_the_cache(),
        patch.object(LocMemCache, "add", side_effect=ConnectionError("no server")),
        pytest.raises(StoreUnavailable),
    ):
        rates.spend(caller("1/min"))


def test_a_cache_that_keeps_nothing_lets_nothing_pass() -> None:
    backend = "django.core.cache.backends.dummy.DummyCache"
    with (
        counting_in_the_cache(CACHES={"default": {"BACKEND": backend}}),
        pytest.raises(StoreUnavailable),
    ):
        rates.spend(caller("1/min"))


@in_process
def test_a_database_that_cannot_count_is_a_503(limited: Client) -> None:
    with patch.object(rate_count, "_SPEND", "SELECT * FROM nowhere"):
        response = limited.get("/client/")

    # As a table that is not there: before the migrations.
    assert_problem(response, 503, "store_unavailable")
    assert response.headers["Retry-After"]
