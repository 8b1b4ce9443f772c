"""A task that has finished is enqueued anew, as a task of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from service.tasks import add
from tasks_api import ids, models
from tasks_api.clients.keys import forget_remembered_keys, issue
from tests.http.test_cancel import cancel, enqueue, set_row
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService, bearer
from tests.task_backends import DUMMY, FINISHING, IMMEDIATE, default_backend

in_process = pytest.mark.django_db(transaction=True)

ADD: dict[str, Any] = {
    "task": "service.tasks.add",
    "args": [1],
    "kwargs": {"b": 2},
    "queue_name": "emails",
    "priority": 7,
}
MakeClient = Callable[..., Client]


@pytest.fixture
def make_client(tasks_client: models.Client) -> MakeClient:
    def make(*scopes: str, patterns: tuple[str, ...] = ("*",)) -> Client:
        row = models.Client.objects.create(
            name=f"client-{models.Client.objects.count()}",
            scopes=[*scopes],
            task_patterns=[*patterns],
        )
        return Client(headers=bearer(issue(row).text))

    return make


def finished(client: Client, call: Any = ADD, **columns: Any) -> dict[str, Any]:
    """Enqueue a task and let it have failed."""
    task = enqueue(client, call)
    failed = {"status": "FAILED", "exception_class_path": "builtins.ValueError", "traceback": "no"}
    set_row(task, **{**failed, "worker_ids": ["w"], **columns})
    return task


def retry(client: Client, task: dict[str, Any], key: str | None = None, body: str = "") -> Any:
    headers = None if key is None else {"Idempotency-Key": key}
    url = f"{task['url']}retry/"
    return client.post(url, body, content_type="application/json", headers=headers)


def test_a_failed_task_runs_again_as_a_new_one(service: LiveService) -> None:
    call = {"task": "service.tasks.fail", "kwargs": {"message": "no"}, "priority": 5}
    old = service.wait_for(service.post("/tasks/", call).json()["url"])
    response = service.client.post(f"{old['url']}retry/")

    assert response.status_code == 202
    assert response.headers["Retry-After"] == "1"
    new = response.json()
    assert response.headers["Location"] == new["url"] != old["url"]
    assert new["id"] != old["id"]
    same = ("task", "args", "kwargs", "queue_name", "priority", "backend")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert (new["status"], new["attempts"], new["errors"]) == ("READY", 0, [])
    assert new["enqueued_at"] > old["finished_at"]

    again = service.wait_for(new["url"])
    assert (again["status"], again["attempts"]) == ("FAILED", 1)
    assert service.get(old["url"]).json() == old


@in_process
@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED"])
def test_what_has_finished_is_retried_now(client: Client, status: str) -> None:
    old = finished(client, {**ADD, "run_after": "2100-01-01T00:00:00Z"}, status=status)
    new = retry(client, old).json()

    assert new["run_after"] is None
    assert {**ADD, **new} == new
    assert DBTaskResult.objects.count() == 2


@in_process
def test_a_cancelled_task_is_retried_too(client: Client) -> None:
    old = enqueue(client)
    assert cancel(client, old).status_code == 200

    assert retry(client, old).status_code == 202


@in_process
@pytest.mark.parametrize("status", ["READY", "RUNNING"])
def test_what_is_unfinished_is_not_retried(client: Client, status: str) -> None:
    task = enqueue(client)
    set_row(task, status=status)

    assert_problem(retry(client, task), 409, "not_finished")
    assert DBTaskResult.objects.count() == 1


@in_process
def test_a_retry_is_one_select_and_one_insert(client: Client) -> None:
    task = finished(client)
    with CaptureQueriesContext(connection) as queries:
        assert retry(client, task).status_code == 202

    assert [query["sql"].split()[0] for query in queries.captured_queries] == ["SELECT", "INSERT"]


# Whose the new task is.


@in_process
def test_an_admins_retry_stays_the_owners(client: Client, make_client: MakeClient) -> None:
    old = finished(client)
    new = retry(make_client("admin", "enqueue"), old).json()

    assert client.get(new["url"]).status_code == 200
    assert {task["id"] for task in client.get("/tasks/").json()["results"]} == {
        old["id"],
        new["id"],
    }


@in_process
def test_an_admins_retry_of_the_projects_task_stays_the_projects(
    client: Client, make_client: MakeClient
) -> None:
    identifier = add.enqueue(1).id
    url = f"/tasks/{identifier}/"
    set_row({"id": identifier}, status="FAILED")
    new = retry(make_client("admin", "enqueue"), {"url": url}).json()

    assert ids.owner_of(DBTaskResult.objects.exclude(pk=identifier).get().pk) == ids.PROJECT
    assert_problem(client.get(new["url"]), 404, "not_found")


@in_process
def test_a_ledger_tells_whose_it_is_too(client: Client, make_client: MakeClient) -> None:
    with default_backend(FINISHING):
        old = enqueue(client)
        new = retry(make_client("admin", "enqueue"), old)
        assert new.status_code == 200
        assert client.get(new.json()["url"]).status_code == 200


@in_process
@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["enqueue", "read"], 404), (["admin"], 403), (["cancel", "read"], 403)],
)
def test_others_do_not_retry_it(
    client: Client, make_client: MakeClient, scopes: list[str], status: int
) -> None:
    old = finished(client)

    assert retry(make_client(*scopes), old).status_code == status
    assert DBTaskResult.objects.count() == 1


@in_process
def test_whoever_may_not_enqueue_the_type_any_more_does_not_retry_it(
    client: Client, tasks_client: models.Client
) -> None:
    old = finished(client)
    models.Client.objects.update(task_patterns=["service.tasks.say_*"])
    forget_remembered_keys()
    assert_problem(retry(client, old), 400, "unknown_task")


# Against today's code.


@in_process
@pytest.mark.parametrize(
    ("columns", "code", "pointer"),
    [
        (
            {"args_kwargs": {"args": [], "kwargs": {"a": "1"}}},
            "invalid_arguments",
            "/kwargs/a",
        ),
        ({"args_kwargs": {"args": [], "kwargs": {}}}, "invalid_arguments", "/kwargs/a"),
        ({"task_path": "removed.tasks.nothing"}, "unknown_task", "/task"),
        ({"queue_name": "removed"}, "not_supported_by_backend", "/queue_name"),
    ],
)
def test_what_does_not_fit_today_is_refused(
    client: Client, columns: dict[str, Any], code: str, pointer: str
) -> None:
    old = finished(client, **columns)
    problem = assert_problem(retry(client, old), 400, code)

    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert DBTaskResult.objects.count() == 1


@in_process
@pytest.mark.parametrize("path", [IMMEDIATE, DUMMY])
def test_a_backend_without_results_knows_no_task_to_retry(client: Client, path: str) -> None:
    with default_backend(path):
        task = enqueue(client, {"task": "service.tasks.add", "args": [1]})
        assert_problem(retry(client, task), 501, "results_not_supported")


# Idempotency keys, rates, bodies.


@in_process
def test_a_retry_that_is_sent_twice_enqueues_once(client: Client) -> None:
    old, other = finished(client), finished(client)
    first, again = retry(client, old, "one"), retry(client, old, "one", "{}")

    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(retry(client, other, "one"), 422, "idempotency_key_reused")
    assert DBTaskResult.objects.count() == 3


@in_process
def test_a_retry_is_replayed_when_the_old_task_is_gone(client: Client) -> None:
    old = finished(client)
    first = retry(client, old, "one")
    DBTaskResult.objects.filter(pk=old["id"]).delete()
    again = retry(client, old, "one")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(retry(client, old, "two"), 404, "not_found")


@in_process
def test_a_refused_retry_does_not_use_its_key_up(client: Client) -> None:
    task = enqueue(client)
    assert_problem(retry(client, task, "one"), 409, "not_finished")
    set_row(task, status="FAILED")

    response = retry(client, task, "one")
    assert response.status_code == 202
    assert "Idempotent-Replayed" not in response.headers


@in_process
def test_a_retry_counts_as_one_request(client: Client, tasks_client: models.Client) -> None:
    old = finished(client)
    cache.clear()
    models.Client.objects.update(rate="1/day")
    forget_remembered_keys()
    assert retry(client, old).status_code == 202
    assert_problem(retry(client, old), 429, "throttled")
    cache.clear()


@in_process
def test_there_is_no_body(client: Client) -> None:
    old = finished(client)

    problem = assert_problem(retry(client, old, body='{"priority": 3}'), 400, "invalid_request")
    assert [fault["pointer"] for fault in problem["errors"]] == ["/priority"]
    assert DBTaskResult.objects.count() == 1
