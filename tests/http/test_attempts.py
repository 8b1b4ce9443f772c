"""What a task tells of its attempts, whoever has made them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.clients.keys import issue
from tasks_api.models import TaskRun
from tests.http.test_cancel import HELLO, cancel, enqueue, set_row
from tests.live_service import bearer

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
AT = "2026-11-22T09:00:00.000000Z"


def kept(attempt: int, **members: Any) -> dict[str, Any]:
    """Give what is kept of an attempt that was followed by another."""
    return {
        "attempt": attempt,
        "failed_at": AT,
        "worker_id": f"w{attempt}",
        "exception_class_path": "builtins.OSError",
        "traceback": f"OSError: {attempt}",
        **members,
    }


def set_run(task: dict[str, Any], **columns: Any) -> None:
    TaskRun.objects.create(task_id=UUID(task["id"]), **columns)


def read(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    with CaptureQueriesContext(connection) as queries:
        response = client.get(task["url"])
    assert response.status_code == 200, response.content
    assert len(queries) == 1
    listed = client.get("/tasks/").json()["results"]
    picked = client.get(f"/tasks/?id={task['id']}").json()["results"]
    told: dict[str, Any] = response.json()
    assert [told] == listed == picked
    return told


def test_a_task_that_waits_for_its_next_attempt_tells_of_those_before(client: Client) -> None:
    task = enqueue(client)
    next_at = datetime.now(UTC) + timedelta(seconds=30)
    set_row(task, worker_ids=["w1", "w2"], started_at=BEFORE + timedelta(1), run_after=next_at)
    set_run(task, started_at=BEFORE, errors=[kept(1), kept(2)])

    told = read(client, task)
    assert (told["status"], told["outcome"], told["attempts"]) == ("READY", None, 2)
    assert told["errors"] == [kept(1), kept(2)]
    assert told["started_at"] == AT
    assert told["last_attempted_at"] == "2026-11-23T09:00:00.000000Z"
    assert 20 < int(client.get(task["url"]).headers["Retry-After"]) <= 30


def test_the_last_error_is_that_of_the_last_attempt(client: Client) -> None:
    task = enqueue(client)
    set_row(
        task,
        status="FAILED",
        worker_ids=["w1", "w2"],
        started_at=BEFORE,
        finished_at=BEFORE,
        exception_class_path="tasks_api.exceptions.TaskTimedOut",
        traceback="too long",
    )
    set_run(task, started_at=BEFORE, errors=[kept(1)])

    told = read(client, task)
    assert told["outcome"] == "timed_out"
    last = kept(2, exception_class_path="tasks_api.exceptions.TaskTimedOut", traceback="too long")
    assert told["errors"] == [kept(1), last]


def test_what_ended_a_task_while_it_waited_is_no_attempt(client: Client) -> None:
    task = enqueue(client)
    set_row(task, worker_ids=["w1"], started_at=BEFORE)
    set_run(task, errors=[kept(1)])
    response = cancel(client, task)

    told = read(client, task)
    assert (response.status_code, response.json()) == (200, told)
    assert (told["outcome"], told["attempts"]) == ("cancelled", 1)
    assert [one["attempt"] for one in told["errors"]] == [1, None]
    assert (told["errors"][1]["failed_at"], told["errors"][1]["worker_id"]) == (None, None)
    # Again: the error of before does not hide that it is cancelled.
    assert cancel(client, task).json() == told


def test_a_task_that_succeeds_at_last_keeps_its_errors(client: Client) -> None:
    task = enqueue(client)
    set_row(task, status="SUCCESSFUL", worker_ids=["w1", "w2"], finished_at=BEFORE, return_value=1)
    set_run(task, errors=[kept(1)])

    told = read(client, task)
    assert (told["outcome"], told["return_value"]) == ("succeeded", 1)
    assert told["errors"] == [kept(1)]


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("builtins.ValueError", "failed"),
        ("", "failed"),
        ("tasks_api.exceptions.ResultTooLarge", "failed"),
        ("tasks_api.exceptions.TaskCancelled", "cancelled"),
        ("tasks_api.exceptions.TaskExpired", "expired"),
        ("tasks_api.exceptions.WorkerLost", "lost"),
    ],
)
def test_the_outcome_follows_from_the_last_exception(
    client: Client, path: str, outcome: str
) -> None:
    task = enqueue(client)
    set_row(task, status="FAILED", worker_ids=["w1"], exception_class_path=path)

    assert read(client, task)["outcome"] == outcome


def test_without_the_scope_read_nobody_is_told_how_a_task_ended(client: Client) -> None:
    blind = models.Client.objects.create(name="blind", scopes=["enqueue", "cancel"])
    theirs = Client(headers=bearer(issue(blind).text))
    task = theirs.post("/tasks/", json.dumps(HELLO), content_type="application/json").json()
    told = cancel(theirs, task).json()

    assert (told["status"], told["outcome"], told["errors"]) == ("FAILED", None, [])


def test_a_browser_with_a_task_token_is_told_the_outcome(client: Client) -> None:
    task = enqueue(client)
    token = client.post(f"{task['url']}tokens/", "", content_type="application/json").json()[
        "token"
    ]
    cancel(client, task)

    told = Client(headers=bearer(token)).get(task["url"]).json()
    assert (told["outcome"], told["errors"][0]["traceback"]) == ("cancelled", "")


@pytest.mark.parametrize(
    "said",
    [
        None,
        1,
        "x",
        [],
        {},
        {"max_attempts": "3", "timeout_seconds": "4", "expires_at": 5},
        {"max_attempts": True, "timeout_seconds": False, "expires_at": "tomorrow"},
        {"max_attempts": 0, "timeout_seconds": -1, "expires_at": "2026-13-01T00:00:00Z"},
        {"max_attempts": 1.5, "timeout_seconds": 10**400, "expires_at": None},
    ],
)
def test_what_other_code_has_stored_as_limits_hides_no_task(client: Client, said: Any) -> None:
    task = enqueue(client)
    row = DBTaskResult.objects.get(pk=task["id"])
    set_row(task, args_kwargs={**row.args_kwargs, "call": said})

    assert read(client, task) == task


def test_a_page_is_read_in_portions_though_errors_are_large(client: Client) -> None:
    tasks = [enqueue(client) for _ in range(8)]
    for task in tasks:
        set_row(task, worker_ids=["w1"])
        set_run(task, errors=[kept(1, traceback="x" * 250_000)])
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/tasks/")

    told = response.json()["results"]
    assert [len(one["errors"][0]["traceback"]) for one in told] == [250_000] * 8
    loads = [one for one in queries.captured_queries if "tasks_api_taskrun" in one["sql"]]
    assert len(loads) == 1 + 2


def test_the_tag_changes_when_a_task_is_told_to_stop(client: Client) -> None:
    task = enqueue(client)
    set_row(task, status="RUNNING", worker_ids=["w1"])
    tag = client.get(task["url"]).headers["ETag"]
    set_run(task, cancel_requested_at=BEFORE)

    response = client.get(task["url"], headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response.json()["cancel_requested_at"] == AT


def test_the_tag_changes_with_the_policy_of_the_task(client: Client) -> None:
    task = enqueue(client)
    tag = client.get(task["url"]).headers["ETag"]
    policies = {HELLO["task"]: {"max_attempts": 3}}
    with override_settings(TASKS_API={**settings.TASKS_API, "POLICIES": policies}):
        response = client.get(task["url"], headers={"If-None-Match": tag})

    assert response.status_code == 200
    assert response.json()["max_attempts"] == 3
