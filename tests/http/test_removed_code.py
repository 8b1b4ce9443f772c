"""A task outlives its code: what was enqueued is read from its row."""

from typing import Any

import pytest
from django.test import Client, override_settings
from django_tasks_db.models import DBTaskResult

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "path",
    [
        "tests.tasks.removed",
        "nowhere.tasks.removed",
        "tests.tasks.NoJSON",
        "nodots",
        "",
    ],
)
@pytest.mark.parametrize("status", ["READY", "RUNNING", "SUCCESSFUL", "FAILED"])
def test_a_task_whose_code_was_removed_can_be_read(client: Client, path: str, status: str) -> None:
    url = client.post(
        "/tasks/",
        {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}},
        content_type="application/json",
    ).json()["url"]
    DBTaskResult.objects.update(
        task_path=path,
        status=status,
        queue_name="gone",
        backend_name="gone",
        return_value="kept" if status == "SUCCESSFUL" else None,
        exception_class_path="gone.tasks.Error" if status == "FAILED" else "",
    )

    response = client.get(url)

    assert response.status_code == 200
    task: dict[str, Any] = response.json()
    assert (task["task"], task["status"], task["queue_name"]) == (path, status, "gone")
    assert task["kwargs"] == {"name": "Ada"}
    assert task["return_value"] == ("kept" if status == "SUCCESSFUL" else None)
    assert bool(task["errors"]) == (status == "FAILED")


def test_a_task_that_is_no_longer_exposed_can_still_be_read(client: Client) -> None:
    url = client.post(
        "/tasks/",
        {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}},
        content_type="application/json",
    ).json()["url"]

    with override_settings(TASKS_API={"TASKS": []}):
        assert client.get(url).status_code == 200
