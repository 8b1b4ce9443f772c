"""Task tokens: what a browser may do with one, and how long."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, override_settings
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.clients.keys import forget_remembered_keys, issue
from tasks_api.models.idempotency_record import IdempotencyRecord
from tasks_api.results.members import TaskMember, task_members
from tasks_api.results.waiting import poller
from tests.http.test_authentication import (
    KEYS,
    PUBLIC,
    SESSIONS,
    authenticating_with,
    csrf_token_of,
    operations,
)
from tests.http.test_hostile_bodies import assert_problem
from tests.http.test_query_counts import queries_of
from tests.live_service import DEADLINE, bearer, wait_until
from tests.task_backends import KEEPING, default_backend

pytestmark = pytest.mark.django_db(transaction=True)

CALL = {"task": "service.tasks.say_hello", "args": ["Ada"], "kwargs": {}}
THREADED: dict[str, Any] = {"wsgi.multithread": True}
"""What a server with threads says to the application, unlike Django's test client."""


def enqueue(client: Client) -> dict[str, Any]:
    task: dict[str, Any] = client.post("/tasks/", CALL, content_type="application/json").json()
    return task


def create(client: Client, task: dict[str, Any], body: str = "", **headers: str) -> Any:
    return client.post(
        f"/tasks/{task['id']}/tokens/", body, content_type="application/json", headers=headers
    )


def token_for(client: Client, task: dict[str, Any], body: str = "") -> str:
    response = create(client, task, body)
    assert response.status_code == 201, response.content
    return str(response.json()["token"])


def browser(token: str) -> Client:
    return Client(headers=bearer(token))


def finish(task: dict[str, Any], **columns: Any) -> None:
    now = datetime.now(UTC)
    values = {"status": "SUCCESSFUL", "return_value": "done", "finished_at": now, **columns}
    assert DBTaskResult.objects.filter(pk=task["id"]).update(started_at=now, **values) == 1


@pytest.fixture
def task(client: Client) -> dict[str, Any]:
    return enqueue(client)


@pytest.fixture
def token(client: Client, task: dict[str, Any]) -> str:
    return token_for(client, task)


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """A function that calls another one in a thread of its own."""
    with ThreadPoolExecutor(4) as threads:

        def run(call: Callable[[], Any]) -> Future[Any]:
            def called() -> Any:
                try:
                    return call()
                finally:
                    connections.close_all()

            return threads.submit(called)

        yield run


def watch(asking: Client, task: dict[str, Any], **query: str) -> Any:
    return asking.get(f"{task['url']}events/", query, **THREADED)


def until_watched(number: int) -> None:
    wait_until(lambda: len(poller._watches) == number, what=f"{number} requests that wait")


# What it reads.


def test_a_token_reads_its_task_without_arguments(
    client: Client, task: dict[str, Any], token: str
) -> None:
    finish(task)
    own, shown = client.get(task["url"]).json(), browser(token).get(task["url"])

    assert (shown.status_code, shown.json()) == (200, {**own, "args": [], "kwargs": {}})
    assert own["args"] == ["Ada"]
    assert shown.json()["return_value"] == "done"
    assert browser(token).head(task["url"]).status_code == 200


@pytest.mark.parametrize("shown_to", ["owner", "admin"])
def test_it_shows_no_traceback(admin: Client, client: Client, shown_to: str) -> None:
    task = enqueue(client)
    failure = {"exception_class_path": "builtins.ValueError", "traceback": "Traceback of Ada"}
    finish(task, status="FAILED", return_value=None, **failure)
    with override_settings(TASKS_API={**settings.TASKS_API, "TRACEBACKS": shown_to}):
        [error] = admin.get(task["url"]).json()["errors"]
        shown = browser(token_for(admin, task)).get(task["url"]).json()

    assert error == {**error, **failure}
    assert shown["errors"] == [{**error, "traceback": ""}]


def test_members_of_apps_are_shown_that_are_for_browsers(
    client: Client, task: dict[str, Any], token: str
) -> None:
    def member(name: str, **flags: bool) -> TaskMember:
        return TaskMember(name, str, lambda tasks: {one.id: name for one in tasks}, **flags)

    progress = member("progress", in_browsers=True)
    notes, label = member("notes"), member("label", needs_read=False)
    apps = {"progress": progress, "notes": notes, "label": label}
    finish(task)
    with patch.dict(task_members, apps):
        own, shown = client.get(task["url"]).json(), browser(token).get(task["url"]).json()
        streamed = watch(browser(token), task).content.decode()

    assert [own[name] for name in apps] == ["progress", "notes", "label"]
    assert [shown[name] for name in apps] == ["progress", None, None]
    assert json.loads(streamed.partition("data: ")[2].partition("\n")[0]) == shown


def test_it_waits_for_its_task(
    task: dict[str, Any], token: str, in_thread: Callable[..., Future[Any]]
) -> None:
    headers = {"Prefer": "wait=30"}
    asked = in_thread(lambda: browser(token).get(task["url"], headers=headers, **THREADED))
    until_watched(1)
    finish(task)
    response = asked.result(DEADLINE)

    assert response.headers["Preference-Applied"] == "wait=30"
    assert (response.json()["return_value"], response.json()["args"]) == ("done", [])


@pytest.mark.parametrize("place", ["header", "query"])
def test_it_streams_its_task(
    task: dict[str, Any], token: str, in_thread: Callable[..., Future[Any]], place: str
) -> None:
    asking, query = (browser(token), {}) if place == "header" else (Client(), {"token": token})
    asked = in_thread(lambda: b"".join(watch(asking, task, **query).streaming_content))
    until_watched(1)
    finish(task)
    events = asked.result(DEADLINE).decode().split("\n\n")
    shown = [json.loads(one.partition("data: ")[2]) for one in events if "event: task" in one]

    assert [(one["status"], one["args"]) for one in shown] == [("READY", []), ("SUCCESSFUL", [])]
    assert "event: end" in events[-2]


def test_ids_are_taken_in_any_case(client: Client, task: dict[str, Any]) -> None:
    shouted = {**task, "id": task["id"].upper()}
    finish(task)
    for token in (token_for(client, task), token_for(client, shouted)):
        for one in (task, shouted):
            at = {"url": f"/tasks/{one['id']}/"}
            assert browser(token).get(at["url"]).json()["id"] == task["id"]
            assert watch(Client(), at, token=token).status_code == 200


def test_an_id_of_another_backend_is_taken_as_it_is(client: Client) -> None:
    with default_backend(KEEPING), patch("django.tasks.backends.dummy.get_random_string") as new_id:
        # As UUIDs are written by some.
        new_id.return_value = "0198C0DE-0000-8000-8000-00000000ABCD"
        task = enqueue(client)
        token = token_for(client, task)

        assert browser(token).get(f"/tasks/{task['id']}/").json()["id"] == task["id"]
        assert_problem(browser(token).get(f"/tasks/{task['id'][:-1]}E/"), 404, "not_found")


# What it does not.


def test_every_other_operation_refuses_it(task: dict[str, Any], token: str) -> None:
    served = set()
    for path, method in operations():
        url = path.replace("/tasks/x", f"/tasks/{task['id']}")
        response = browser(token).generic(method.upper(), url)
        if response.status_code == 401:
            assert_problem(response, 401, "not_authenticated")
            challenge = 'Bearer realm="tasks", error="invalid_token"'
            assert response.headers["WWW-Authenticate"] == challenge
        else:
            served.add((method, path.rstrip("/")))

    # The documents are those of a client, to who has credentials.
    public = {("get", path.rstrip("/")) for path in PUBLIC if "openapi" not in path}
    assert served - public == {("get", "/tasks/x"), ("get", "/tasks/x/events")}


def test_another_task_is_not_there(client: Client, token: str) -> None:
    models.Client.objects.update(rate="100/day")
    forget_remembered_keys()
    other = enqueue(client)
    paths = (f"/tasks/{other['id']}/", f"/tasks/{other['id']}/events/", "/tasks/x/")
    for number, path in enumerate(paths, 2):
        response = browser(token).get(path)
        assert_problem(response, 404, "not_found")
        # Who tries others' tasks is counted too.
        assert f"r={100 - number};" in response.headers["RateLimit"]


def test_another_clients_task_gets_no_token(tasks_client: Any, task: dict[str, Any]) -> None:
    other = models.Client.objects.create(name="other")
    stranger = Client(headers=bearer(issue(other).text))

    assert_problem(create(stranger, task), 404, "not_found")
    assert_problem(create(stranger, {"id": "x"}), 404, "not_found")


def test_who_may_not_read_gets_no_token(task: dict[str, Any]) -> None:
    models.Client.objects.update(scopes=["enqueue"])
    writer = Client(headers=bearer(issue(models.Client.objects.get()).text))

    assert_problem(create(writer, task), 403, "insufficient_scope")


def test_an_admins_token_is_as_good_as_the_admin(admin: Client, task: dict[str, Any]) -> None:
    token = token_for(admin, task)
    assert browser(token).get(task["url"]).json()["id"] == task["id"]
    assert_problem(browser(token).get(enqueue_as_project()), 404, "not_found")

    models.Client.objects.filter(name="admin").update(scopes=["read"])
    forget_remembered_keys()
    assert_problem(browser(token).get(task["url"]), 404, "not_found")


def enqueue_as_project() -> str:
    from service.tasks import add  # noqa: PLC0415 -- a task of the project, enqueued by its own code

    return f"/tasks/{add.enqueue(1, 2).id}/"


def test_callers_without_a_key_of_ours_get_no_token(tasks_client: Any) -> None:
    models.Client.objects.create(name="ada")
    visitor = Client(enforce_csrf_checks=True)
    visitor.force_login(User.objects.create_user("ada"))
    with authenticating_with(KEYS, SESSIONS, client_of="tests.logins.client_of_user"):
        headers = {"X-CSRFToken": csrf_token_of(visitor)}
        task = visitor.post("/tasks/", CALL, content_type="application/json", headers=headers)
        assert_problem(create(visitor, task.json(), **headers), 403, "permission_denied")


def test_a_token_goes_before_a_session(client: Client, task: dict[str, Any], token: str) -> None:
    models.Client.objects.create(name="ada")
    visitor = Client()
    visitor.force_login(User.objects.create_user("ada"))
    finish(task)
    with authenticating_with(SESSIONS, KEYS, client_of="tests.logins.client_of_user"):
        assert watch(visitor, task).status_code == 404
        assert watch(visitor, task, token=token).status_code == 200
        assert visitor.get(task["url"], headers=bearer(token)).status_code == 200
    with authenticating_with(SESSIONS, client_of="tests.logins.client_of_user"):
        assert browser(token).get(task["url"]).status_code == 401


# How it is made.


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("", 3600),
        ("{}", 3600),
        ('{"expires_in_seconds": null}', 3600),
        ('{"expires_in_seconds": 1}', 1),
        ('{"expires_in_seconds": 60.0}', 60),
        ('{"expires_in_seconds": 86400}', 86_400),
    ],
)
def test_a_token_ends_after_its_seconds(
    client: Client, task: dict[str, Any], body: str, seconds: int
) -> None:
    before = datetime.now(UTC)
    response = create(client, task, body)
    made_by = datetime.now(UTC)
    token, expires_at = response.json().values()
    end = datetime.fromisoformat(expires_at)

    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert before <= end - timedelta(seconds=seconds) <= made_by
    for seconds_left, status in ((0.01, 200), (0, 401), (-1, 401)):
        with patch("time.time", return_value=end.timestamp() - seconds_left):
            assert browser(token).get(task["url"]).status_code == status


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ('{"expires_in_seconds": 0}', "out_of_range", "/expires_in_seconds"),
        ('{"expires_in_seconds": -1}', "out_of_range", "/expires_in_seconds"),
        ('{"expires_in_seconds": 86401}', "out_of_range", "/expires_in_seconds"),
        ('{"expires_in_seconds": 1e300}', "integer_type", "/expires_in_seconds"),
        ('{"expires_in_seconds": true}', "integer_type", "/expires_in_seconds"),
        ('{"expires_in_seconds": "60"}', "integer_type", "/expires_in_seconds"),
        ('{"expires_in_seconds": 1.5}', "integer_type", "/expires_in_seconds"),
        ('{"expires_in_seconds": [60]}', "integer_type", "/expires_in_seconds"),
        ('{"expires_in_second": 60}', "unknown_member", "/expires_in_second"),
        ("[]", "object_type", ""),
        ("60", "object_type", ""),
    ],
)
def test_another_body_is_refused(
    client: Client, task: dict[str, Any], body: str, code: str, pointer: str
) -> None:
    problem = assert_problem(create(client, task, body), 400, "invalid_request")

    assert [(one["code"], one["pointer"]) for one in problem["errors"]] == [(code, pointer)]


def test_a_token_does_not_outlive_its_key(tasks_client: models.Client, client: Client) -> None:
    task = enqueue(client)
    key_end = timezone.now() + timedelta(minutes=1)
    short = Client(headers=bearer(issue(tasks_client, expires_at=key_end).text))
    made = create(short, task).json()

    assert datetime.fromisoformat(made["expires_at"]) == key_end
    with patch("time.time", return_value=time.time() + 61):
        assert browser(made["token"]).get(task["url"]).status_code == 401


def test_making_one_is_not_remembered(client: Client, task: dict[str, Any]) -> None:
    made = [create(client, task, **{"Idempotency-Key": "once"}) for _ in range(2)]

    assert [response.status_code for response in made] == [201, 201]
    assert "Idempotent-Replayed" not in made[1].headers
    assert not IdempotencyRecord.objects.exists()


# What it costs.


def test_a_token_costs_no_query_of_its_own(
    client: Client, task: dict[str, Any], token: str
) -> None:
    assert queries_of(lambda: create(client, task))[1] == ["SELECT"]
    assert queries_of(lambda: browser(token).get(task["url"]))[1] == ["SELECT"]
    other = enqueue(client)
    assert queries_of(lambda: browser(token).get(other["url"]))[1] == []
    assert queries_of(lambda: browser(token + "x").get(task["url"]))[1] == []

    # The key is asked for as if it were used itself.
    forget_remembered_keys()
    assert queries_of(lambda: browser(token).get(task["url"]))[1] == ["SELECT", "SELECT"]
    assert queries_of(lambda: client.get(task["url"]))[1] == ["SELECT"]


def test_it_is_counted_against_its_clients_rate(client: Client, task: dict[str, Any]) -> None:
    models.Client.objects.update(rate="4/day")
    forget_remembered_keys()
    finish(task)
    token = token_for(client, task)
    read, streamed = browser(token).get(task["url"]), watch(Client(), task, token=token)
    last, refused = (browser(token).get(task["url"]) for _ in range(2))

    for response, left in ((read, 2), (streamed, 1), (last, 0)):
        assert response.status_code == 200
        assert f"r={left};" in response.headers["RateLimit"]
    assert_problem(refused, 429, "throttled")
