"""What optional apps add to a task's JSON, where that fails or is much."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client

from tasks_api import models
from tasks_api.backends import StoredTask
from tasks_api.clients.keys import issue
from tasks_api.http.views import task_json
from tasks_api.results.members import TaskMember, task_members
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import bearer

HELLO = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(tasks_client: models.Client) -> Client:
    return Client(headers=bearer(issue(tasks_client).text))


@pytest.fixture
def asked() -> Iterator[list[int]]:
    """For how many tasks an app was asked at a time; it knows the first letters of their ids."""
    numbers: list[int] = []

    def letters(tasks: Sequence[StoredTask]) -> dict[str, str]:
        numbers.append(len(tasks))
        return {task.id: task.id[0] for task in tasks}

    with patch.dict(task_members, {"letter": TaskMember("letter", str | None, letters)}):
        yield numbers


@pytest.fixture
def failing() -> Iterator[None]:
    def fail(tasks: Sequence[StoredTask]) -> Any:
        raise OperationalError("gone")

    with patch.dict(task_members, {"letter": TaskMember("letter", str | None, fail)}):
        yield


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


def test_a_stored_task_is_answered_though_an_app_fails(
    client: Client, failing: None, caplog: pytest.LogCaptureFixture
) -> None:
    single = post(client, "/tasks/", HELLO)
    batch = post(client, "/tasks/batch/", {"tasks": [HELLO, HELLO]})

    assert (single.status_code, batch.status_code) == (202, 202)
    assert single.json()["letter"] is None
    assert [task["letter"] for task in batch.json()["results"]] == [None, None]
    assert "The additional members of 2 new tasks could not be read" in caplog.text


def test_reading_says_that_an_app_fails(client: Client, failing: None) -> None:
    url = post(client, "/tasks/", HELLO).json()["url"]
    for path in (url, "/tasks/"):
        assert_problem(client.get(path), 503, "store_unavailable")


def test_an_app_is_asked_for_a_bounded_number_of_tasks_at_once(
    client: Client, asked: list[int]
) -> None:
    tasks = post(client, "/tasks/batch/", {"tasks": [HELLO] * 7}).json()["results"]
    assert asked == [7]
    asked.clear()
    with patch.object(task_json, "TASKS_AT_ONCE", 3):
        listed = client.get("/tasks/").json()["results"]

    assert asked == [3, 3, 1]
    assert listed == sorted(tasks, key=lambda task: str(task["id"]), reverse=True)
    asked.clear()
    with patch.object(task_json, "BYTES_AT_ONCE", 1):
        assert client.get("/tasks/").json()["results"] == listed
    assert asked == [1] * 7
