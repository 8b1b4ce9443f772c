"""`Prefer: wait`: the answer comes when the task is finished, has changed, or when time is up."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.backends.database.adapter import DatabaseAdapter
from tasks_api.clients.keys import issue
from tasks_api.http.holding.places import places
from tasks_api.http.protocol.holding import HELD, HOLDS
from tasks_api.results.waiting import poller
from tests.http.test_hostile_bodies import assert_problem
from tests.http.test_no_longer_reading import CHANGES, refuse
from tests.live_service import DEADLINE, bearer, wait_until
from tests.task_backends import DUMMY, IMMEDIATE, default_backend

pytestmark = pytest.mark.django_db(transaction=True)

CALL = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
LONG = "wait=30"
THREADED = {"wsgi.multithread": True}
"""What a server with threads says to the application, unlike Django's test client."""

type Ask = Callable[..., Future[Any]]


@pytest.fixture
def ask(client: Client) -> Iterator[Ask]:
    """A function that sends a request in a thread of its own."""
    with ThreadPoolExecutor(40) as threads:

        def ask(method: str, path: str, prefer: str = LONG, **arguments: Any) -> Future[Any]:
            asking = arguments.pop("client", client)
            headers = {"Prefer": prefer, **arguments.pop("headers", {})}

            def send() -> Any:
                try:
                    return getattr(asking, method)(
                        path,
                        headers=headers,
                        content_type="application/json",
                        **arguments,
                        **THREADED,
                    )
                finally:
                    connections.close_all()

            return threads.submit(send)

        yield ask
    wait_until(lambda: poller._thread is None, what="end of the thread that looks for tasks")
    # The outage that a test has left behind is not reported again.
    poller._has_failed = False
    assert not places._taken


def watched() -> int:
    return len(poller._watches)


def until_watched(number: int) -> None:
    wait_until(lambda: watched() == number, what=f"{number} requests that wait")


def enqueue(client: Client) -> dict[str, Any]:
    task: dict[str, Any] = client.post("/tasks/", CALL, content_type="application/json").json()
    return task


def set_row(task_id: str, **columns: Any) -> None:
    assert DBTaskResult.objects.filter(pk=task_id).update(**columns) == 1


def finish(task_id: str) -> None:
    now = datetime.now(UTC)
    set_row(task_id, status="SUCCESSFUL", started_at=now, finished_at=now, return_value="done")


def only_task() -> str:
    return str(DBTaskResult.objects.get().pk)


def test_a_post_is_answered_when_its_task_is_finished(ask: Ask) -> None:
    asked = ask("post", "/tasks/", data=CALL)
    until_watched(1)
    finish(only_task())
    response = asked.result(DEADLINE)

    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.headers["Location"] == response.json()["url"]
    assert "Retry-After" not in response.headers
    assert (response.json()["status"], response.json()["return_value"]) == ("SUCCESSFUL", "done")


def test_a_get_is_answered_when_the_task_is_finished_and_not_when_it_starts(
    client: Client, ask: Ask
) -> None:
    task = enqueue(client)
    asked = ask("get", task["url"])
    until_watched(1)
    set_row(task["id"], status="RUNNING", started_at=datetime.now(UTC), worker_ids=["w"])
    changed = ask("get", task["url"], headers={"If-None-Match": 'W/"another"'})
    assert changed.result(DEADLINE).json()["status"] == "RUNNING"
    assert not asked.done()
    finish(task["id"])

    assert asked.result(DEADLINE).json()["status"] == "SUCCESSFUL"


def test_a_conditional_get_is_answered_when_the_task_changes(client: Client, ask: Ask) -> None:
    task = enqueue(client)
    tag = client.get(task["url"]).headers["ETag"]
    for status in ("RUNNING", "READY", "SUCCESSFUL"):
        asked = ask("get", task["url"], headers={"If-None-Match": tag})
        until_watched(1)
        set_row(task["id"], status=status, started_at=datetime.now(UTC))
        response = asked.result(DEADLINE)

        assert (response.status_code, response.json()["status"]) == (200, status)
        assert response.headers["ETag"] != tag
        tag = response.headers["ETag"]


def test_a_conditional_get_is_answered_304_when_time_is_up(client: Client, ask: Ask) -> None:
    url = enqueue(client)["url"]
    tag = client.get(url).headers["ETag"]
    response = ask("get", url, "wait=1", headers={"If-None-Match": tag}).result(DEADLINE)

    assert response.status_code == 304
    assert response.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize("method", ["get", "post"])
def test_when_time_is_up_the_answer_is_as_without_waiting(
    client: Client, ask: Ask, method: str
) -> None:
    path = enqueue(client)["url"] if method == "get" else "/tasks/"
    data = {} if method == "get" else {"data": CALL}
    waited = ask(method, path, "wait=1", **data).result(DEADLINE)
    now = getattr(client, method)(path, **data, content_type="application/json")

    assert waited.headers["Preference-Applied"] == "wait=1"
    assert waited.status_code == now.status_code == (200 if method == "get" else 202)
    assert waited.headers.keys() - now.headers.keys() == {"Preference-Applied"}
    assert waited.json()["status"] == "READY"


def test_a_finished_task_is_answered_at_once(client: Client) -> None:
    task = enqueue(client)
    finish(task["id"])
    for headers in ({}, {"If-None-Match": client.get(task["url"]).headers["ETag"]}):
        response = client.get(task["url"], headers={"Prefer": LONG, **headers})

        assert response.headers["Preference-Applied"] == "wait=30"
        assert response.status_code == (304 if headers else 200)


def test_a_retry_waits_for_the_new_task(client: Client, ask: Ask) -> None:
    task = enqueue(client)
    finish(task["id"])
    asked = ask("post", f"{task['url']}retry/")
    until_watched(1)
    (new,) = DBTaskResult.objects.exclude(pk=task["id"])
    finish(str(new.pk))
    response = asked.result(DEADLINE)

    assert (response.status_code, response.json()["id"]) == (200, str(new.pk))


def test_cancelling_ends_the_wait_of_others_and_needs_none(client: Client, ask: Ask) -> None:
    task = enqueue(client)
    asked = ask("get", task["url"])
    until_watched(1)
    cancelled = client.post(
        f"{task['url']}cancel/", content_type="application/json", headers={"Prefer": LONG}
    )

    assert (cancelled.status_code, cancelled.headers["Preference-Applied"]) == (200, "wait=30")
    assert asked.result(DEADLINE).json() == cancelled.json()


def test_a_replay_waits_too_and_enqueues_nothing(ask: Ask) -> None:
    key = {"Idempotency-Key": "once"}
    asked = [ask("post", "/tasks/", data=CALL, headers=key) for _ in range(3)]
    until_watched(3)
    finish(only_task())
    responses = [one.result(DEADLINE) for one in asked]

    assert [response.status_code for response in responses] == [200] * 3
    assert sorted("Idempotent-Replayed" in response.headers for response in responses) == [
        False,
        True,
        True,
    ]


def test_a_task_that_is_removed_ends_the_wait(client: Client, ask: Ask) -> None:
    task = enqueue(client)
    read, posted = ask("get", task["url"]), ask("post", "/tasks/", data=CALL)
    until_watched(2)
    DBTaskResult.objects.all().delete()

    assert_problem(read.result(DEADLINE), 404, "not_found")
    # It was stored, and nobody should send it again.
    assert posted.result(DEADLINE).status_code == 202


# Who waits, and how long.


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=1", "1"),
        ("WAIT=1", "1"),
        ('wait="1"', "1"),
        (" wait = 1 ", "1"),
        ("respond-async, wait=1", "1"),
        ('a="x, wait=9", wait=1', "1"),
        ("wait=1; foo=bar", "1"),
        ("wait=1, wait=5", "1"),
        ("wait=0", "0"),
        ("wait=00", "0"),
        ("wait=31", "2"),
        ("wait=" + "9" * 5000, "2"),
        ("wait", None),
        ("wait=", None),
        ("wait=1.5", None),
        ("wait=-1", None),
        ("wait=x, wait=1", None),
        ("wait=\N{ARABIC-INDIC DIGIT ONE}", None),
        ("waits=1", None),
        ('"wait=1"', None),
        ("respond-async", None),
        ('a="\\', None),
        ("", None),
    ],
)
def test_a_preference_is_read_or_ignored(client: Client, prefer: str, applied: str | None) -> None:
    task = enqueue(client)
    finish(task["id"])
    with override_settings(TASKS_API={**settings.TASKS_API, "MAX_WAIT_SECONDS": 2}):
        response = client.get(task["url"], headers={"Prefer": prefer})

    assert response.status_code == 200
    assert response.headers.get("Preference-Applied") == (applied and f"wait={applied}")


def test_without_the_scope_read_nobody_waits() -> None:
    writer = models.Client.objects.create(name="writer", scopes=["enqueue"])
    client = Client(headers=bearer(issue(writer).text))
    response = client.post(
        "/tasks/", CALL, content_type="application/json", headers={"Prefer": LONG}, **THREADED
    )

    assert response.status_code == 202
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize(("backend", "status"), [(IMMEDIATE, 200), (DUMMY, 202)])
def test_without_results_there_is_nothing_to_wait_for(
    client: Client, backend: Any, status: int
) -> None:
    with default_backend(backend):
        response = client.post(
            "/tasks/", CALL, content_type="application/json", headers={"Prefer": LONG}, **THREADED
        )

    assert response.status_code == status


def test_a_server_without_threads_does_not_wait(client: Client) -> None:
    url = enqueue(client)["url"]
    response = client.get(url, headers={"Prefer": LONG})

    assert response.status_code == 200
    assert "Preference-Applied" not in response.headers


def test_one_client_leaves_a_place_to_the_others(client: Client, ask: Ask, admin: Client) -> None:
    task = enqueue(client)
    with override_settings(TASKS_API={**settings.TASKS_API, "MAX_WAITING": 3}):
        asked = [ask("get", task["url"]) for _ in range(2)]
        until_watched(2)
        refused = client.get(task["url"], headers={"Prefer": LONG}, **THREADED)
        other = ask("get", task["url"], client=admin)
        until_watched(3)
        full = admin.get(task["url"], headers={"Prefer": LONG}, **THREADED)
        finish(task["id"])

    for response in (refused, full):
        assert (response.status_code, response.json()["status"]) == (200, "READY")
        assert "Preference-Applied" not in response.headers
    for one in (*asked, other):
        assert one.result(DEADLINE).json()["status"] == "SUCCESSFUL"


def test_large_answers_that_are_kept_are_limited(client: Client, ask: Ask) -> None:
    other = Client(headers=bearer(issue(models.Client.objects.create(name="other")).text))
    size = len(client.post("/tasks/", CALL, content_type="application/json").content)
    with patch("tasks_api.http.holding.places.MAX_KEPT_BYTES", 3 * size):
        asked = [ask("post", "/tasks/", data=CALL, client=asking) for asking in (client, other)]
        until_watched(2)
        for asking in (client, other):
            at_once = ask("post", "/tasks/", data=CALL, client=asking).result(DEADLINE)
            assert at_once.status_code == 202
            assert "Preference-Applied" not in at_once.headers
        # Nothing is kept for a request that only reads.
        own = client.get("/tasks/").json()["results"]
        asked += [ask("get", task["url"]) for task in own]
        until_watched(2 + len(own))
    poller.stop()
    poller.is_stopping = False
    for one in asked:
        assert one.result(DEADLINE).headers["Preference-Applied"] == "wait=30"


def test_a_request_that_is_held_keeps_its_id(client: Client) -> None:
    holds: list[Any] = []
    url = enqueue(client)["url"]
    first = client.get(url, headers={"Prefer": LONG}, **{HOLDS: holds})
    (hold,) = holds
    hold.cancel()
    second = client.get(url, headers={"Prefer": LONG}, **{HELD: hold})

    assert second.headers["Preference-Applied"] == "wait=30"
    assert second.headers["X-Request-ID"] == first.headers["X-Request-ID"]


def test_no_place_is_lost_where_no_thread_can_be_started(client: Client, ask: Ask) -> None:
    holds: list[Any] = []
    ends: list[Any] = []
    url = enqueue(client)["url"]
    client.get(url, headers={"Prefer": LONG}, **{HOLDS: holds})
    with patch.object(threading.Thread, "start", side_effect=RuntimeError("no more threads")):
        holds[0].start(lambda: ends.append(None))
    # It is answered at once.
    assert ends == [None]
    assert not places._taken

    assert ask("get", url, "wait=1").result(DEADLINE).headers["Preference-Applied"] == "wait=1"


def test_nothing_is_kept_of_a_request_that_has_waited(client: Client) -> None:
    holds: list[Any] = []
    client.get(enqueue(client)["url"], headers={"Prefer": LONG}, **{HOLDS: holds})
    hold = holds.pop()
    hold.start(lambda: None)
    assert hold.cancel()
    kept = weakref.ref(hold)
    gc.disable()
    try:
        del hold
        assert kept() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("waiting", [0, 1])
def test_the_log_says_when_places_run_out(
    client: Client, caplog: pytest.LogCaptureFixture, waiting: int
) -> None:
    places._next_report = 0
    url = enqueue(client)["url"]
    holds: list[Any] = []
    with override_settings(TASKS_API={**settings.TASKS_API, "MAX_WAITING": waiting}):
        for _ in range(4):
            client.get(url, headers={"Prefer": LONG}, **{HOLDS: holds})
    for hold in holds:
        hold.cancel()

    told = [text for text in caplog.messages if "MAX_WAITING" in text]
    assert (
        told
        == ["A request could not wait: 1 of 1 places (MAX_WAITING) are taken, 0 of them by streams"]
        * waiting
    )


def test_a_request_that_waits_is_counted_once(tasks_client: models.Client, ask: Ask) -> None:
    models.Client.objects.update(rate="5/day")
    asked = ask("post", "/tasks/", data=CALL)
    until_watched(1)
    finish(only_task())

    assert "r=4;" in asked.result(DEADLINE).headers["RateLimit"]


# What happens meanwhile.


@pytest.mark.parametrize("change", CHANGES)
def test_who_may_not_read_any_more_does_not_wait_any_longer(
    tasks_client: models.Client, client: Client, ask: Ask, change: str
) -> None:
    task = enqueue(client)
    with override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": 1}):
        asked = ask("get", task["url"])
        until_watched(1)
        with refuse(change):
            response = asked.result(DEADLINE)

    if change == "without scope":
        assert_problem(response, 403, "insufficient_scope")
    else:
        assert_problem(response, 401, "not_authenticated")


def test_when_the_process_stops_everybody_is_answered(client: Client, ask: Ask) -> None:
    task = enqueue(client)
    asked = [ask("get", task["url"]) for _ in range(3)]
    until_watched(3)
    try:
        poller.stop()
        late = ask("get", task["url"])
        for one in (*asked, late):
            assert one.result(DEADLINE).json()["status"] == "READY"
    finally:
        poller.is_stopping = False


def test_an_outage_does_not_end_the_wait(
    client: Client, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    task = enqueue(client)
    states = DatabaseAdapter.states
    looks: list[Any] = []

    def fail_at_first(self: Any, ids: Any) -> Any:
        looks.append(ids)
        if len(looks) == 3:
            # So that the look that succeeds is the one that ends the wait.
            finish(task["id"])
        if len(looks) <= 3:
            raise OperationalError("the database is away")
        return states(self, ids)

    with (
        patch.object(DatabaseAdapter, "states", fail_at_first),
        patch("tasks_api.results.waiting.PAUSE_SECONDS", 0.01),
        caplog.at_level("INFO", "tasks_api.results"),
    ):
        assert ask("get", task["url"]).result(DEADLINE).json()["status"] == "SUCCESSFUL"

    told = [record.getMessage() for record in caplog.records]
    assert len([text for text in told if "cannot be read" in text]) == 1
    assert len([text for text in told if "can be read again" in text]) == 1


def test_who_is_answered_after_an_outage_finds_that_it_is_over(client: Client) -> None:
    task = enqueue(client)
    holds: list[Any] = []
    client.get(task["url"], headers={"Prefer": LONG}, **{HOLDS: holds})
    states = DatabaseAdapter.states
    found: list[bool] = []
    looks: list[Any] = []

    def fail_once(self: Any, ids: Any) -> Any:
        if not looks:
            looks.append(ids)
            finish(task["id"])
            raise OperationalError("the database is away")
        return states(self, ids)

    with (
        patch.object(DatabaseAdapter, "states", fail_once),
        patch("tasks_api.results.waiting.PAUSE_SECONDS", 0.01),
    ):
        holds[0].start(lambda: found.append(holds[0].was_blind))
        wait_until(lambda: found, what="end of the wait")
    wait_until(lambda: poller._thread is None, what="end of the thread that looks for tasks")

    assert found == [False]


def test_a_post_whose_task_cannot_be_read_afterwards_is_answered_as_it_was(ask: Ask) -> None:
    def fail(*_: Any) -> Any:
        raise OperationalError("the database is away")

    with patch.object(DatabaseAdapter, "states", fail), patch.object(DatabaseAdapter, "get", fail):
        posted = ask("post", "/tasks/", "wait=1", data=CALL).result(DEADLINE)

    assert (posted.status_code, posted.json()["status"]) == (202, "READY")


def test_a_get_whose_task_cannot_be_read_afterwards_is_a_503(client: Client, ask: Ask) -> None:
    url = enqueue(client)["url"]

    def fail(*_: Any) -> Any:
        raise OperationalError("the database is away")

    asked = ask("get", url, "wait=1")
    until_watched(1)
    with patch.object(DatabaseAdapter, "states", fail), patch.object(DatabaseAdapter, "get", fail):
        assert_problem(asked.result(DEADLINE), 503, "store_unavailable")


# What it costs.


def test_all_that_wait_share_one_query(client: Client, ask: Ask) -> None:
    tasks = [enqueue(client) for _ in range(5)]
    looks: list[list[str]] = []
    states = DatabaseAdapter.states

    def count(self: Any, ids: Any) -> Any:
        with CaptureQueriesContext(connections["default"]) as queries:
            found = states(self, ids)
        looks.append([len(ids), *[query["sql"].split()[0] for query in queries]])
        return found

    with patch.object(DatabaseAdapter, "states", count):
        asked = [ask("get", task["url"]) for task in tasks for _ in range(4)]
        until_watched(20)
        looks.clear()
        wait_until(lambda: [5, "SELECT"] in looks, what="look at all tasks")
        for task in tasks:
            finish(task["id"])
        for one in asked:
            assert one.result(DEADLINE).json()["status"] == "SUCCESSFUL"

    assert {tuple(look[1:]) for look in looks} == {("SELECT",)}
