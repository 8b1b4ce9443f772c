"""A request that is sent twice under one key enqueues once."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.tasks.exceptions import InvalidTask
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult
from hypothesis import given
from hypothesis import strategies as st

from tasks_api import models
from tasks_api.calls import idempotency
from tasks_api.calls.enqueueing import enqueue
from tasks_api.calls.idempotency import KeyedRequest
from tasks_api.calls.members import CallMember, call_members
from tasks_api.clients.keys import issue
from tasks_api.models import IdempotencyRecord
from tasks_api.problems import InvalidRequest
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, LiveService, bearer
from tests.task_backends import IMMEDIATE, KEEPING, default_backend

HELLO = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
CONCURRENT = 48
ENQUEUE = "tasks_api.http.views.enqueueing.enqueue"
"""What hands a checked call to its backend."""

in_process = pytest.mark.django_db(transaction=True)


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def ledger() -> Iterator[None]:
    """Tasks go to a backend that shares no transaction with the records."""
    with default_backend(KEEPING):
        yield


@pytest.fixture
def at_once() -> Iterator[None]:
    """Tasks run within the request, and nothing keeps their results."""
    with default_backend(IMMEDIATE):
        yield


def post(client: Client, key: str | None, body: Any = HELLO, path: str = "/tasks/") -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, text, content_type="application/json", headers=headers)


def is_replay(response: Any) -> bool:
    return bool(response.headers.get("Idempotent-Replayed") == "true")


def in_thread[Value](function: Callable[[], Value]) -> Callable[[], Value]:
    """Leave no connection behind in a thread of the test's own."""

    def run() -> Value:
        try:
            return function()
        finally:
            connections.close_all()

    return run


@pytest.mark.parametrize("attempt", range(3))
def test_of_48_at_once_one_enqueues_and_47_replay(service: LiveService, attempt: int) -> None:
    barrier = threading.Barrier(CONCURRENT)
    body = {"task": "tests.tasks.give_back", "args": [f"concurrent {attempt}"]}

    def send(_: int) -> Any:
        barrier.wait(DEADLINE)
        return service.post("/tasks/", body, headers={"Idempotency-Key": f"many-{attempt}"})

    with ThreadPoolExecutor(CONCURRENT) as threads:
        responses = list(threads.map(send, range(CONCURRENT)))

    assert {response.status_code for response in responses} <= {200, 202}
    assert len({response.json()["id"] for response in responses}) == 1
    assert sum(map(is_replay, responses)) == CONCURRENT - 1
    listed = service.get("/tasks/?task=tests.tasks.give_back&page_size=200").json()["results"]
    assert [task["args"] for task in listed].count(body["args"]) == 1


def test_a_replay_answers_with_the_task_as_it_is_now(service: LiveService) -> None:
    headers = {"Idempotency-Key": "as-it-is-now"}
    first = service.post("/tasks/", HELLO, headers=headers)
    service.wait_for(first.headers["Location"])
    replay = service.post("/tasks", HELLO, headers=headers)

    assert first.status_code == 202
    assert "Idempotent-Replayed" not in first.headers
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (200, "true")
    assert replay.json()["id"] == first.json()["id"]
    assert replay.json()["return_value"] == "Hello, Ada!"
    assert replay.headers["Location"] == first.headers["Location"]
    assert "Retry-After" not in replay.headers


@in_process
def test_without_a_key_nothing_is_recorded(client: Client) -> None:
    assert post(client, None).json()["id"] != post(client, None).json()["id"]
    assert not IdempotencyRecord.objects.exists()


@in_process
def test_a_key_costs_a_record(client: Client) -> None:
    client.get("/client/")
    lock = ["SELECT"] if connection.vendor == "postgresql" else []
    with CaptureQueriesContext(connection) as first:
        post(client, "k")
    with CaptureQueriesContext(connection) as replay:
        post(client, "k")

    def words(queries: CaptureQueriesContext) -> list[str]:
        return [query["sql"].split()[0] for query in queries if query["sql"] != "COMMIT"]

    assert [word for word in words(first) if word != "BEGIN"] == [
        *["SELECT", *lock, "INSERT", "INSERT", "UPDATE"]
    ]
    assert words(replay) == ["SELECT", "SELECT"]


@in_process
@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("key", '"key"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("!~", '"!~"'),
    ],
)
def test_a_key_is_the_same_bare_and_quoted(client: Client, one: str, same: str) -> None:
    first, second = post(client, one), post(client, same)

    assert first.json()["id"] == second.json()["id"]
    assert is_replay(second)


@in_process
@pytest.mark.parametrize(
    "key",
    ["", '""', "a b", "é", "x" * 256, '"', '"a', '"a\\b"', '"a" b', "a\tb", '"' + "x" * 256 + '"'],
)
def test_what_is_no_key_is_refused(client: Client, key: str) -> None:
    problem = assert_problem(post(client, key), 400, "invalid_request")

    assert [fault["header"] for fault in problem["errors"]] == ["Idempotency-Key"]
    assert not DBTaskResult.objects.exists()


@in_process
def test_the_longest_key_is_taken(client: Client) -> None:
    assert post(client, "x" * 255).status_code == 202
    assert is_replay(post(client, '"' + "x" * 255 + '"'))


@in_process
def test_another_request_under_the_same_key_is_refused(client: Client) -> None:
    first = post(client, "k").json()["id"]
    others: list[Any] = [
        {**HELLO, "kwargs": {"name": "Bob"}},
        {**HELLO, "priority": 1},
        {"task": "service.tasks.say_hello", "args": ["Ada"]},
        {"task": "nothing"},
    ]
    for body in others:
        assert_problem(post(client, "k", body), 422, "idempotency_key_reused")

    assert [str(row.pk) for row in DBTaskResult.objects.all()] == [first]


@in_process
def test_order_of_members_white_space_and_escapes_do_not_matter(client: Client) -> None:
    first = post(client, "k", {"task": "tests.tasks.echo", "kwargs": {"a": "é", "b": [1, 2]}})
    same = ' { "kwargs" : {"b":[1,2],"a":"\\u00e9"} ,\n"task": "tests.tasks.echo"}'

    assert post(client, "k", same).json()["id"] == first.json()["id"]
    other = {"task": "tests.tasks.echo", "kwargs": {"a": "é", "b": [2, 1]}}
    assert_problem(post(client, "k", other), 422, "idempotency_key_reused")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_a_fingerprint_depends_on_the_meaning_alone(value: Any) -> None:
    def fingerprint(body: Any, path: str = "/tasks/") -> str:
        return KeyedRequest.of(1, "k", path, body).fingerprint

    def turned(body: Any) -> Any:
        match body:
            case dict():
                return {name: turned(body[name]) for name in reversed(body)}
            case list():
                return [turned(item) for item in body]
            case _:
                return body

    assert fingerprint(value) == fingerprint(turned(value)) == fingerprint(value, path="/tasks")
    assert fingerprint(value) != fingerprint([value])
    assert fingerprint(value) != fingerprint(value, path="/tasks/batch/")


@in_process
def test_a_key_is_its_clients_alone(client: Client) -> None:
    other = models.Client.objects.create(name="other")
    first = post(client, "k").json()["id"]
    second = post(Client(headers=bearer(issue(other).text)), "k", {**HELLO, "priority": 1})

    assert second.status_code == 202
    assert not is_replay(second)
    assert second.json()["id"] != first


@in_process
@pytest.mark.parametrize("body", ["{", {"task": "nothing"}, {"task": "service.tasks.say_hello"}])
def test_a_refused_request_does_not_use_its_key_up(client: Client, body: Any) -> None:
    assert post(client, "k", body).status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert post(client, "k").status_code == 202


@in_process
def test_a_refusal_of_the_backend_does_not_use_the_key_up_either(client: Client) -> None:
    with patch("django_tasks_db.DatabaseBackend.enqueue", side_effect=InvalidTask("a rule")):
        assert_problem(post(client, "k"), 400, "not_supported_by_backend")
    assert not IdempotencyRecord.objects.exists()
    assert post(client, "k").status_code == 202


@in_process
def test_a_crash_between_the_two_writes_leaves_neither(client: Client) -> None:
    real = enqueue

    def crash_after(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        assert DBTaskResult.objects.exists()
        assert IdempotencyRecord.objects.exists()
        raise Crash

    with patch(ENQUEUE, crash_after), pytest.raises(Crash):
        post(client, "k")

    assert not DBTaskResult.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert not is_replay(post(client, "k"))


@in_process
def test_a_task_whose_backend_is_no_longer_configured_is_replayed_too(client: Client) -> None:
    first = post(client, "k").json()
    assert DBTaskResult.objects.update(backend_name="gone") == 1
    replay = post(client, "k")

    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (202, "true")
    assert replay.json() == first | {"backend": "gone"}


@in_process
def test_elsewhere_a_crash_leaves_a_key_that_enqueues_nothing_twice(
    ledger: None, client: Client
) -> None:
    with patch(ENQUEUE, side_effect=Crash), pytest.raises(Crash):
        post(client, "k")

    with patch.object(idempotency, "WAIT_SECONDS", 0.1):
        response = post(client, "k")
    assert_problem(response, 409, "idempotency_in_progress")
    assert response.headers["Retry-After"] == "1"
    with patch.object(idempotency, "WAIT_SECONDS", 0.1):
        other = post(client, "k", {"task": "nothing"})
    assert_problem(other, 422, "idempotency_key_reused")


@in_process
@pytest.mark.parametrize("backend", ["ledger", "at_once"])
@pytest.mark.parametrize("failure", [ConnectionError("down"), InvalidRequest()])
def test_elsewhere_what_fails_after_the_enqueue_uses_the_key_up(
    client: Client, backend: str, failure: Exception, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(backend)
    told: list[Any] = []

    def fail(tasks: Any) -> None:
        told.extend(tasks)
        raise failure

    note = CallMember("note", schema={}, check=lambda value, caller: [], enqueued=fail)
    with (
        patch.dict(call_members, {"note": note}),
        patch.object(idempotency, "WAIT_SECONDS", 0.1),
    ):
        first = post(client, "k", {**HELLO, "note": 1})
        second = post(client, "k", {**HELLO, "note": 1})

    assert_problem(first, 503, "store_unavailable")
    assert_problem(second, 409, "idempotency_in_progress")
    assert len(told) == 1


@in_process
def test_elsewhere_a_task_that_cannot_be_kept_for_a_replay_uses_the_key_up(
    at_once: None, client: Client
) -> None:
    client.raise_request_exception = False
    with patch.object(idempotency, "_kept", side_effect=ValueError("odd")):
        assert post(client, "k").status_code == 500
    with patch.object(idempotency, "WAIT_SECONDS", 0.1):
        assert_problem(post(client, "k"), 409, "idempotency_in_progress")


@in_process
@pytest.mark.parametrize("backend", ["ledger", "at_once"])
def test_elsewhere_a_key_enqueues_once_too(
    client: Client, backend: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(backend)
    first, second = post(client, "k"), post(client, "k")

    assert first.status_code == second.status_code == (202 if backend == "ledger" else 200)
    assert second.json() == first.json()
    assert (is_replay(first), is_replay(second)) == (False, True)
    assert second.headers["Location"] == first.headers["Location"]
    # A failure of the backend frees the key.
    with patch(ENQUEUE, side_effect=ConnectionError("no broker")):
        client.raise_request_exception = False
        assert post(client, "other").status_code == 500
    assert not is_replay(post(client, "other"))


@in_process
@pytest.mark.parametrize("backend", ["database", "ledger"])
def test_the_second_waits_for_the_first(
    client: Client, backend: str, request: pytest.FixtureRequest
) -> None:
    if backend == "ledger":
        request.getfixturevalue(backend)
    assert client.get("/client/").status_code == 200
    is_writing, may_go_on, second_has_looked = (threading.Event() for _ in range(3))
    real_enqueue, real_record_of = enqueue, idempotency._record_of

    def slow_enqueue(*args: Any, **kwargs: Any) -> Any:
        is_writing.set()
        assert may_go_on.wait(DEADLINE)
        return real_enqueue(*args, **kwargs)

    def record_of(keyed: KeyedRequest) -> Any:
        record = real_record_of(keyed)
        if is_writing.is_set():
            second_has_looked.set()
        return record

    with (
        patch(ENQUEUE, slow_enqueue),
        patch.object(idempotency, "_record_of", record_of),
        ThreadPoolExecutor(2) as threads,
    ):
        first = threads.submit(in_thread(lambda: post(client, "k")))
        assert is_writing.wait(DEADLINE)
        second = threads.submit(in_thread(lambda: post(client, "k")))
        assert second_has_looked.wait(DEADLINE)
        may_go_on.set()
        answers = first.result(DEADLINE), second.result(DEADLINE)

    assert [is_replay(answer) for answer in answers] == [False, True]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@in_process
@pytest.mark.postgres
def test_whoever_waits_too_long_is_told_so_and_holds_no_connection_meanwhile(
    client: Client,
) -> None:
    assert client.get("/client/").status_code == 200
    is_writing, may_go_on = threading.Event(), threading.Event()
    real_enqueue = enqueue

    def slow_enqueue(*args: Any, **kwargs: Any) -> Any:
        is_writing.set()
        assert may_go_on.wait(DEADLINE)
        return real_enqueue(*args, **kwargs)

    with (
        patch(ENQUEUE, slow_enqueue),
        patch.object(idempotency, "WAIT_SECONDS", 0.2),
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(in_thread(lambda: post(client, "k")))
        assert is_writing.wait(DEADLINE)
        with patch("time.sleep", side_effect=lambda _: held.append(connection.connection)):
            held: list[Any] = []
            assert_problem(post(client, "k"), 409, "idempotency_in_progress")
        may_go_on.set()
        assert first.result(DEADLINE).status_code == 202

    assert held
    assert set(held) == {None}
    assert is_replay(post(client, "k"))


@in_process
@pytest.mark.parametrize("is_pending", [False, True])
def test_a_record_ends_after_24_hours_and_its_task_stays(client: Client, is_pending: bool) -> None:
    first = post(client, "k").json()
    record = IdempotencyRecord.objects.get()
    if is_pending:
        IdempotencyRecord.objects.update(tasks=None)
    almost = record.created_at - timedelta(hours=23, minutes=59)
    IdempotencyRecord.objects.update(created_at=almost)
    if not is_pending:
        assert is_replay(post(client, "k"))

    IdempotencyRecord.objects.update(created_at=almost - timedelta(minutes=1))
    # A new request, whatever it asks for.
    second = post(client, "k", {**HELLO, "priority": 1})

    assert second.status_code == 202
    assert not is_replay(second)
    assert second.json()["id"] != first["id"]
    assert client.get(first["url"]).status_code == 200
    assert IdempotencyRecord.objects.count() == 1


@in_process
def test_a_replay_asks_for_no_permission_that_was_lost_since(
    client: Client, tasks_client: models.Client
) -> None:
    first = post(client, "k").json()["id"]
    with override_settings(TASKS_API={**settings.TASKS_API, "TASKS": []}):
        replay = post(client, "k")

    assert replay.json()["id"] == first


def test_the_migrations_say_what_the_models_say(transactional_db: None) -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
