"""`GET /workers/`: who runs tasks, for administrators."""

import os
import signal
import socket
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks_api.ids import new_task_id
from tasks_api.models import Worker
from tests.conftest import StartService
from tests.live_service import bearer, wait_until

in_process = pytest.mark.django_db(transaction=True)


def register(worker_id: str, *, unseen_for: float = 0, **columns: Any) -> None:
    Worker.objects.create(
        worker_id=worker_id, hostname="host", pid=1, **{"queue_names": ["*"], **columns}
    )
    seen = Now() - timedelta(seconds=unseen_for)
    Worker.objects.filter(pk=worker_id).update(last_seen_at=seen)


@in_process
def test_a_worker_is_what_its_row_says(admin: Client) -> None:
    task = new_task_id()
    register("a", current_task=task, queue_names=["default", "emails"])
    register("b")
    response = admin.get("/workers/")

    assert response.status_code == 200
    first, second = response.json().pop("results")
    for worker in (first, second):
        for moment in ("started_at", "last_seen_at"):
            assert worker.pop(moment).endswith("Z")
    assert first == {
        "worker_id": "a",
        "hostname": "host",
        "pid": 1,
        "queue_names": ["default", "emails"],
        "is_alive": True,
        "current_task": str(task),
    }
    assert (second["queue_names"], second["current_task"]) == (["*"], None)


@in_process
def test_alive_is_who_was_seen_of_late_by_the_databases_clock(admin: Client) -> None:
    for seconds in (0, 20, 40):
        register(str(seconds), unseen_for=seconds)
    alive = {one["worker_id"]: one["is_alive"] for one in admin.get("/workers/").json()["results"]}

    assert alive == {"0": True, "20": True, "40": False}


@in_process
def test_without_workers_the_list_is_empty(admin: Client) -> None:
    assert admin.get("/workers/").json() == {"results": []}


@in_process
def test_any_number_of_workers_is_one_select(admin: Client) -> None:
    for number in range(20):
        register(str(number))
    with CaptureQueriesContext(connection) as queries:
        assert len(admin.get("/workers/").json()["results"]) == 20

    assert [query["sql"].split()[0] for query in queries.captured_queries] == ["SELECT"]


def test_a_real_worker_comes_works_and_goes(start_service: StartService) -> None:
    service = start_service()
    key = bearer(service.create_client("operations", "--scope=admin"))

    def listed() -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = service.get("/workers/", headers=key).json()["results"]
        return results

    (worker,) = wait_until(listed, what="worker")
    assert worker["hostname"] == socket.gethostname()
    assert (worker["queue_names"], worker["is_alive"]) == (["*"], True)
    os.kill(worker["pid"], 0)

    call = {"task": "service.tasks.sleep", "kwargs": {"seconds": 60}}
    task = service.post("/tasks/", call).json()
    wait_until(lambda: listed()[0]["current_task"] == task["id"], what="task of the worker")
    assert service.get(task["url"]).json()["worker_ids"] == [worker["worker_id"]]

    os.kill(worker["pid"], signal.SIGKILL)
    wait_until(lambda: [w["worker_id"] for w in listed()] != [worker["worker_id"]], what="its end")
    service.stop_worker()
    assert listed() == []
