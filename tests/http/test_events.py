"""`GET /tasks/{id}/events/`: what a client is told about a task while it changes."""

import gc
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client, override_settings
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.backends.database.adapter import DatabaseAdapter
from tasks_api.clients.keys import issue
from tasks_api.http.holding import stream
from tasks_api.http.holding.places import places
from tasks_api.http.protocol.event_stream import COMMENT
from tasks_api.http.protocol.holding import HOLDS
from tasks_api.results.waiting import poller
from tests.http.test_hostile_bodies import assert_problem
from tests.http.test_waiting import THREADED, enqueue, finish, set_row
from tests.live_service import bearer, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

END = {"event": "end"}
opened: list[Any] = []


@pytest.fixture(autouse=True)
def no_place_is_lost() -> Iterator[None]:
    yield
    for response in opened:
        response.close()
    opened.clear()
    wait_until(lambda: poller._thread is None, what="end of the thread that looks for tasks")
    assert not places._taken


@pytest.fixture
def url(client: Client) -> str:
    return f"{enqueue(client)['url']}events/"


def task_of(url: str) -> str:
    return url.split("/")[-3]


def watch(client: Client, url: str, **headers: str) -> Any:
    response = client.get(url, headers=headers, **THREADED)
    opened.append(response)
    return response


def events_in(part: bytes) -> list[dict[str, str]]:
    texts = part.decode().removesuffix("\n\n").split("\n\n")
    return [
        {
            name: value
            for name, _, value in (line.partition(": ") for line in text.split("\n"))
            if name and value
        }
        for text in texts
        if not text.startswith(":")
    ]


def next_events(response: Any) -> list[dict[str, str]]:
    """Return those of the next part that is not only a comment."""
    for part in response:
        if part != COMMENT:
            return events_in(part)
    return []


def status_in(event: dict[str, str]) -> Any:
    assert event["event"] == "task"
    return json.loads(event["data"])["status"]


def test_each_change_is_an_event_and_the_last_one_is_the_end(client: Client, url: str) -> None:
    response = watch(client, url)
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Length" not in response.headers
    (first,) = next_events(response)
    read = client.get(url.removesuffix("events/"))
    assert json.loads(first["data"]) == read.json()
    assert first["id"] in read.headers["ETag"]

    set_row(task_of(url), status="RUNNING", started_at=datetime.now(UTC))
    (second,) = next_events(response)
    finish(task_of(url))
    last, end = next_events(response)

    assert [status_in(each) for each in (second, last)] == ["RUNNING", "SUCCESSFUL"]
    assert len({first["id"], second["id"], last["id"]}) == 3
    assert end == END
    assert list(response) == []


def test_what_was_seen_is_left_out(client: Client, url: str) -> None:
    seen = next_events(watch(client, url))[0]["id"]
    response = watch(client, url, **{"Last-Event-ID": seen})
    assert next(iter(response)) == COMMENT
    finish(task_of(url))

    assert [each["event"] for each in next_events(response)] == ["task", "end"]


def test_a_finished_task_is_told_once(client: Client, url: str) -> None:
    finish(task_of(url))
    response = watch(client, url, **{"Last-Event-ID": "another"})
    last, end = events_in(response.content)
    assert (status_in(last), end) == ("SUCCESSFUL", END)

    again = watch(client, url, **{"Last-Event-ID": last["id"]})

    # A browser's EventSource does not connect again then.
    assert (again.status_code, again.content) == (204, b"")


def test_head_answers_without_waiting(client: Client, url: str) -> None:
    response = client.head(url, **THREADED)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert list(response) == []


def test_a_task_that_is_removed_ends_the_stream(client: Client, url: str) -> None:
    response = watch(client, url)
    next_events(response)
    DBTaskResult.objects.all().delete()

    assert next_events(response) == [END]


def test_a_comment_keeps_the_connection_open(client: Client, url: str) -> None:
    with patch.object(stream, "HEARTBEAT_SECONDS", 0.01):
        parts = iter(watch(client, url))
        next(parts)
        assert [next(parts) for _ in range(3)] == [COMMENT] * 3


def test_a_stream_ends_after_a_while_without_an_event_for_the_end(client: Client, url: str) -> None:
    with patch.object(stream, "tasks_api_settings") as read:
        read.return_value.max_stream_seconds = 0.05
        parts = list(watch(client, url))

    assert [status_in(each) for each in events_in(parts[0])] == ["READY"]
    assert parts[1:] == [COMMENT]


def test_there_are_at_most_ten_events_a_second(client: Client, url: str) -> None:
    response = watch(client, url)
    next_events(response)
    started = time.monotonic()
    for status in ("RUNNING", "READY", "RUNNING", "READY"):
        set_row(task_of(url), status=status, started_at=datetime.now(UTC))
        assert status_in(next_events(response)[0]) == status

    assert time.monotonic() - started >= 4 * stream.SECONDS_BETWEEN_EVENTS


def test_who_may_not_read_any_more_is_told_nothing_more(client: Client, url: str) -> None:
    with override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": 1}):
        response = watch(client, url)
        next_events(response)
        models.ClientKey.objects.revoke()

        assert next_events(response) == []


def test_a_stream_is_judged_however_short_its_waits_are(client: Client, url: str) -> None:
    with (
        patch.object(stream, "HEARTBEAT_SECONDS", 0.05),
        override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": 1}),
    ):
        parts = iter(watch(client, url))
        next(parts)
        models.ClientKey.objects.revoke()

        assert len(list(islice(parts, 600))) < 600


def test_an_outage_does_not_end_the_stream(client: Client, url: str) -> None:
    failures = iter(range(2))
    get = DatabaseAdapter.get

    def fail_at_first(self: Any, *arguments: Any) -> Any:
        if next(failures, None) is not None:
            raise OperationalError("the database is away")
        return get(self, *arguments)

    response = watch(client, url)
    next_events(response)
    finish(task_of(url))
    with (
        patch.object(DatabaseAdapter, "get", fail_at_first),
        patch.object(stream, "close_old_connections") as close,
    ):
        assert [each["event"] for each in next_events(response)] == ["task", "end"]

    assert next(failures, None) is None
    # A connection that is broken would be for ever, without a request that ends.
    assert close.call_count >= 6


def test_streams_have_half_of_the_places_and_one_client_not_all_of_that(
    client: Client, url: str, admin: Client
) -> None:
    with override_settings(TASKS_API={**settings.TASKS_API, "MAX_WAITING": 4}):
        own = watch(client, url)
        refused = watch(client, url)
        other = watch(admin, url)
        full = watch(admin, url)

        for response in (refused, full):
            assert_problem(response, 503, "too_many_streams")
            assert int(response.headers["Retry-After"]) >= 1
        own.close()
        assert watch(client, url).streaming
    assert next_events(other)


def test_a_server_that_can_neither_hold_nor_wait_refuses_streams(client: Client, url: str) -> None:
    assert_problem(client.get(url), 503, "too_many_streams")


def test_a_response_that_nobody_closes_gives_its_place_back(client: Client, url: str) -> None:
    response = watch(client, url)
    assert len(places._taken) == 1
    response.streaming_content = ()
    response._resource_closers.clear()
    gc.collect()

    assert not places._taken


def test_only_who_may_read_the_task_may_watch_it(client: Client, url: str) -> None:
    other = models.Client.objects.create(name="other")
    writer = models.Client.objects.create(name="writer", scopes=["enqueue"])

    assert_problem(watch(Client(headers=bearer(issue(other).text)), url), 404, "not_found")
    assert_problem(
        watch(Client(headers=bearer(issue(writer).text)), url), 403, "insufficient_scope"
    )


MEASURING = [
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
]


@pytest.mark.parametrize("can_hold", [True, False])
def test_no_middleware_measures_or_compresses_a_stream(
    client: Client, url: str, can_hold: bool
) -> None:
    holds: list[Any] = []
    how = {HOLDS: holds} if can_hold else THREADED
    with override_settings(MIDDLEWARE=MEASURING):
        response = client.get(url, headers={"Accept-Encoding": "gzip"}, **how)

    assert response.headers.keys().isdisjoint({"Content-Length", "Content-Encoding", "ETag"})
    (first,) = next_events(response)
    assert status_in(first) == "READY"
    for hold in holds:
        hold.cancel()
    response.close()
