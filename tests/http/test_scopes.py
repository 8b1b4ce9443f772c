"""What a client may do: scopes, patterns of task types, and what it is shown for them."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.clients.keys import issue
from tasks_api.http.openapi.operation import Operation, operation_of
from tasks_api.results.members import TaskMember, task_members
from tasks_api.urls import urlpatterns
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import bearer
from tests.task_backends import IMMEDIATE, default_backend

HELLO = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
ADD = {"task": "service.tasks.add", "kwargs": {"a": 1}}
MakeClient = Callable[..., Client]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_client(tasks_client: models.Client) -> MakeClient:
    """A function that makes a client with these scopes and patterns."""

    def make(*scopes: str, patterns: tuple[str, ...] = ("*",)) -> Client:
        name = f"c{models.Client.objects.count()}"
        row = models.Client.objects.create(name=name, scopes=scopes, task_patterns=patterns)
        return Client(headers=bearer(issue(row).text))

    return make


def post(client: Client, call: dict[str, Any]) -> Any:
    return client.post("/tasks/", json.dumps(call), content_type="application/json")


def routed_operations() -> list[Operation]:
    """Return the operations of everything that is routed."""
    found: list[Operation | None] = []
    for pattern in urlpatterns:
        actions = getattr(pattern.callback, "actions", None)
        names = actions.values() if actions else ("get", "post")
        found += [operation_of(pattern.callback.cls, name) for name in names]
    return [operation for operation in found if operation is not None]


def names(client: Client) -> set[str]:
    return {task_type["name"] for task_type in client.get("/task-types/").json()["results"]}


def described(client: Client) -> set[str]:
    call = client.get("/openapi.json").json()["components"]["schemas"]["Call"]
    return set(call.get("discriminator", {}).get("mapping", {}))


@pytest.mark.parametrize(
    "scopes", [[], ["read"], ["cancel"], ["admin"], ["read", "cancel", "admin"]]
)
def test_enqueueing_takes_its_scope(make_client: MakeClient, scopes: list[str]) -> None:
    client = make_client(*scopes)
    response = post(client, HELLO)

    assert_problem(response, 403, "insufficient_scope")
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="tasks", error="insufficient_scope", scope="enqueue"'
    )
    assert not DBTaskResult.objects.exists()
    assert names(client) == described(client) == set()


@pytest.mark.parametrize("scopes", [[], ["enqueue"], ["cancel"]])
def test_reading_takes_its_scope(make_client: MakeClient, scopes: list[str]) -> None:
    client = make_client(*scopes)
    for path in ("/tasks/", "/tasks/x/", "/tasks/?id=x"):
        response = client.get(path)
        assert_problem(response, 403, "insufficient_scope")
        assert 'scope="read"' in response.headers["WWW-Authenticate"]


def test_whoever_may_only_enqueue_still_gets_the_task_that_it_enqueued(
    make_client: MakeClient,
) -> None:
    assert post(make_client("enqueue"), HELLO).json()["status"] == "READY"


def test_every_client_may_ask_who_it_is(make_client: MakeClient) -> None:
    client = make_client()
    for path in ("/", "/client/", "/task-types/"):
        assert client.get(path).status_code == 200


def test_every_operation_says_which_scope_it_needs() -> None:
    operations = routed_operations()
    scopes = {one.operation_id: one.scope for one in operations}

    assert scopes["enqueue_task"] == "enqueue"
    assert scopes["get_task"] == scopes["list_tasks"] == "read"
    changing = [one for one in operations if 202 in one.answers]
    assert {one.operation_id for one in changing} == {
        *("enqueue_task", "enqueue_batch", "retry_task", "cancel_task")
    }
    assert all(one.scope in {"enqueue", "cancel"} for one in changing)


def test_patterns_shape_what_a_client_may_enqueue_and_sees(make_client: MakeClient) -> None:
    client = make_client("enqueue", patterns=("service.tasks.s*", "tests.tasks.echo"))

    assert post(client, HELLO).status_code == 202
    unknown = assert_problem(post(client, {**ADD, "task": "no.such"}), 400, "unknown_task")
    hidden = assert_problem(post(client, ADD), 400, "unknown_task")
    assert hidden | {"request_id": ""} == unknown | {"request_id": ""}
    expected = {
        "service.tasks.say_hello",
        "service.tasks.send_welcome_email",
        "service.tasks.sleep",
        "tests.tasks.echo",
    }
    assert names(client) == described(client) == expected
    assert client.get("/task-types/service.tasks.say_hello/").status_code == 200
    assert_problem(client.get("/task-types/service.tasks.add/"), 404, "not_found")
    text = client.get("/openapi.yaml").content.decode()
    assert "service.tasks.say_hello" in text
    assert "service.tasks.add" not in text


def test_a_pattern_opens_nothing_that_is_not_exposed(make_client: MakeClient) -> None:
    client = make_client("enqueue")
    with override_settings(TASKS_API={**settings.TASKS_API, "TASKS": ["service.tasks.add"]}):
        assert names(client) == {"service.tasks.add"}
        assert_problem(post(client, HELLO), 400, "unknown_task")


def test_without_a_key_the_document_is_untyped_unless_the_catalogue_is_public(
    tasks_client: Any,
) -> None:
    nobody = Client()
    assert described(nobody) == set()
    assert "generate_monthly_report" not in nobody.get("/openapi.yaml").content.decode()

    with override_settings(TASKS_API={**settings.TASKS_API, "PUBLIC_CATALOGUE": True}):
        assert "service.tasks.generate_monthly_report" in described(nobody)
        assert nobody.get("/task-types/").status_code == 401


@pytest.mark.parametrize(
    ("setting", "owner_sees", "admin_sees"),
    [("owner", True, True), ("admin", False, True), ("none", False, False)],
)
def test_tracebacks_are_shown_as_the_setting_says(
    make_client: MakeClient, setting: str, owner_sees: bool, admin_sees: bool
) -> None:
    owner, admin = make_client("enqueue", "read"), make_client("admin")
    url = post(owner, HELLO).json()["url"]
    DBTaskResult.objects.update(
        status="FAILED", exception_class_path="builtins.ValueError", traceback="Traceback: line 1"
    )
    with override_settings(TASKS_API={**settings.TASKS_API, "TRACEBACKS": setting}):
        for client, sees in ((owner, owner_sees), (admin, admin_sees)):
            (error,) = client.get(url).json()["errors"]
            assert error["exception_class_path"] == "builtins.ValueError"
            assert error["traceback"] == ("Traceback: line 1" if sees else "")
        (listed,) = owner.get("/tasks/").json()["results"]
        assert bool(listed["errors"][0]["traceback"]) == owner_sees


def idempotent(client: Client, path: str, body: Any) -> Any:
    return client.post(
        path, json.dumps(body), content_type="application/json", headers={"Idempotency-Key": "once"}
    )


def assert_tells_no_result(task: dict[str, Any], status: str) -> None:
    assert (task["status"], task["is_finished"]) == (status, True)
    assert task["return_value"] is None
    assert task["errors"] == []
    assert task["progress"] is None
    assert task["label"] == "theirs"


@pytest.fixture
def members() -> Iterator[None]:
    """What an app tells of the course of a task, and what its client has set."""
    progress = TaskMember("progress", str | None, lambda tasks: {task.id: "half" for task in tasks})
    label = TaskMember(
        "label", str, lambda tasks: {task.id: "theirs" for task in tasks}, needs_read=False
    )
    with patch.dict(task_members, {"progress": progress, "label": label}):
        yield


@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED"])
@pytest.mark.parametrize("path", ["/tasks/", "/tasks/batch/"])
def test_a_replay_tells_no_result_to_whoever_may_not_read(
    make_client: MakeClient, members: None, path: str, status: str
) -> None:
    client, reader = make_client("enqueue"), make_client("enqueue", "read")
    body = HELLO if path == "/tasks/" else {"tasks": [HELLO]}
    for each in (client, reader):
        assert idempotent(each, path, body).status_code == 202
    DBTaskResult.objects.update(
        status=status, return_value="secret", exception_class_path="a.Secret", traceback="secret"
    )
    answer, seen = (idempotent(each, path, body).getvalue() for each in (client, reader))

    task, seen_task = (
        content if path == "/tasks/" else content["results"][0]
        for content in map(json.loads, (answer, seen))
    )
    assert_tells_no_result(task, status)
    assert b"ecret" not in answer
    assert b"ecret" in seen
    assert seen_task["progress"] == "half"
    assert seen_task.keys() == task.keys()


def test_a_cancellation_tells_no_errors_to_whoever_may_not_read(
    make_client: MakeClient, members: None
) -> None:
    client = make_client("enqueue", "cancel")
    url = post(client, HELLO).json()["url"]
    for _ in range(2):
        answer = client.post(f"{url}cancel/", "{}", content_type="application/json")
        assert answer.status_code == 200
        assert_tells_no_result(answer.json(), "FAILED")


def test_a_retry_tells_no_result_to_whoever_may_not_read(
    make_client: MakeClient, members: None
) -> None:
    client = make_client("enqueue")
    url = post(client, HELLO).json()["url"]
    DBTaskResult.objects.update(status="SUCCESSFUL", return_value="secret")
    assert idempotent(client, f"{url}retry/", {}).status_code == 202
    DBTaskResult.objects.update(status="SUCCESSFUL", return_value="secret")

    assert_tells_no_result(idempotent(client, f"{url}retry/", {}).json(), "SUCCESSFUL")


def test_a_backend_that_runs_at_once_tells_no_result_to_whoever_may_not_read(
    make_client: MakeClient, members: None
) -> None:
    client = make_client("enqueue")
    with default_backend(IMMEDIATE):
        for _ in range(2):
            answer = idempotent(client, "/tasks/", HELLO)
            assert answer.status_code == 200
            assert_tells_no_result(answer.json(), "SUCCESSFUL")
            assert "Hello" not in json.dumps(answer.json())


def test_an_admin_who_may_enqueue_sees_results(make_client: MakeClient) -> None:
    with default_backend(IMMEDIATE):
        answer = post(make_client("enqueue", "admin"), HELLO)

    assert "Ada" in answer.json()["return_value"]
