"""Retries, time limits, cancellation and expiry, as a client of the service sees them."""

import json
from typing import Any

from tests.conftest import StartService
from tests.live_service import LiveService, wait_until

FAIL = {"task": "service.tasks.fail", "args": ["out of order"]}
SLEEP = {"task": "service.tasks.sleep", "args": [600]}


def enqueue(service: LiveService, call: dict[str, Any]) -> Any:
    response = service.post("/tasks/", call)
    assert response.status_code == 202, response.text
    return response.json()


def test_a_task_is_tried_as_often_as_the_variable_says(start_service: StartService) -> None:
    policy = {"max_attempts": 3, "backoff": {"initial": 1, "factor": 1, "jitter": 0}}
    service = start_service({"POLICIES": json.dumps({"service.tasks.fa*": policy})})
    shown = service.get("/task-types/service.tasks.fail/").json()["policy"]
    assert (shown["max_attempts"], shown["backoff"]["initial"]) == (3, 1)

    url = enqueue(service, FAIL)["url"]
    fewer = enqueue(service, {**FAIL, "max_attempts": 1})["url"]
    waiting = wait_until(
        lambda: (
            found
            if (found := service.get(url).json())["status"] == "READY" and found["errors"]
            else None
        ),
        what="pause between two attempts",
    )
    task = service.wait_for(url)

    assert (waiting["outcome"], waiting["max_attempts"]) == (None, 3)
    assert waiting["run_after"] > waiting["last_attempted_at"] >= waiting["started_at"]
    assert (task["status"], task["outcome"], task["attempts"]) == ("FAILED", "failed", 3)
    assert [error["attempt"] for error in task["errors"]] == [1, 2, 3]
    assert [error["worker_id"] for error in task["errors"]] == task["worker_ids"]
    assert all("out of order" in error["traceback"] for error in task["errors"])
    assert task["started_at"] < task["last_attempted_at"] < task["errors"][2]["failed_at"]
    assert task["errors"][2]["failed_at"] == task["finished_at"]
    assert len(service.wait_for(fewer)["errors"]) == 1
    failed = service.get("/tasks/?outcome=failed").json()["results"]
    assert {one["url"] for one in failed} == {url, fewer}


def test_a_running_task_is_cancelled_or_stopped_when_its_time_is_up(service: LiveService) -> None:
    late = enqueue(service, {**SLEEP, "timeout_seconds": 0.5})
    assert late["timeout_seconds"] == 0.5
    late = service.wait_for(late["url"])
    assert (late["status"], late["outcome"], late["attempts"]) == ("FAILED", "timed_out", 1)

    url = enqueue(service, SLEEP)["url"]
    wait_until(lambda: service.get(url).json()["status"] == "RUNNING", what="start")
    cancelled = service.post(f"{url}cancel/")
    again = service.post(f"{url}cancel/")
    assert (cancelled.status_code, again.status_code) == (202, 202)
    assert cancelled.json()["cancel_requested_at"] == again.json()["cancel_requested_at"]
    waited = service.post(f"{url}cancel/", headers={"Prefer": "wait=30"})
    assert (waited.status_code, waited.json()["outcome"]) == (200, "cancelled")
    assert waited.json()["errors"][0]["attempt"] == 1
    assert service.get(url).json() == waited.json()
    # The process goes on.
    following = enqueue(service, {"task": "service.tasks.add", "args": [1, 2]})
    assert service.wait_for(following["url"])["worker_ids"] == waited.json()["worker_ids"]


def test_a_task_that_nobody_begins_in_time_expires(start_service: StartService) -> None:
    service = start_service(worker=False)
    call = {"task": "service.tasks.add", "args": [1]}
    expiring = enqueue(service, {**call, "expires_in_seconds": 0.5})["url"]
    service.start_worker()

    task = service.wait_for(expiring)

    assert (task["status"], task["outcome"], task["attempts"]) == ("FAILED", "expired", 0)
    assert task["enqueued_at"] < task["expires_at"] < task["finished_at"]
    [error] = task["errors"]
    assert (error["exception_class_path"], error["attempt"], error["worker_id"]) == (
        "tasks_api.exceptions.TaskExpired",
        None,
        None,
    )
