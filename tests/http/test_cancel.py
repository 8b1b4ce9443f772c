"""A task that waits is ended, one that runs is told to stop; whoever is late is told so."""

import json
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partialmethod
from typing import Any

import pytest
from django.db import connection
from django.tasks.signals import task_finished
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_tasks_db.backend import DatabaseBackend
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.backends.database.adapter import DatabaseAdapter
from tasks_api.clients.keys import issue
from tasks_api.exceptions import TaskCancelled
from tasks_api.models import TaskRun
from tasks_api.results.cancelling import MAX_LOOKS
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, LiveService, bearer, wait_until
from tests.signals import connected
from tests.task_backends import DUMMY, IMMEDIATE, KEEPING, default_backend

in_process = pytest.mark.django_db(transaction=True)

HELLO = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
LATER = {**HELLO, "run_after": "2100-01-01T00:00:00Z"}
CANCELLED = "tasks_api.exceptions.TaskCancelled"
BATCH = 12
RACES = 360


def enqueue(client: Client, call: Any = HELLO) -> dict[str, Any]:
    response = client.post("/tasks/", json.dumps(call), content_type="application/json")
    assert response.status_code in {200, 202}, response.content
    task: dict[str, Any] = response.json()
    return task


def cancel(client: Client, task: dict[str, Any], body: str = "") -> Any:
    return client.post(f"{task['url']}cancel/", body, content_type="application/json")


def set_row(task: dict[str, Any], **columns: Any) -> None:
    assert DBTaskResult.objects.filter(pk=task["id"]).update(**columns) == 1


# What is cancelled.


@in_process
@pytest.mark.parametrize("call", [HELLO, LATER], ids=["ready", "deferred"])
def test_a_task_that_waits_is_cancelled(client: Client, call: Any) -> None:
    task = enqueue(client, call)
    response = cancel(client, task)

    assert response.status_code == 200
    assert "Retry-After" not in response.headers
    assert "Location" not in response.headers
    cancelled = response.json()
    assert cancelled["finished_at"] >= task["enqueued_at"]
    [error] = cancelled["errors"]
    assert error == {
        "attempt": None,
        "failed_at": None,
        "worker_id": None,
        "exception_class_path": CANCELLED,
        "traceback": str(TaskCancelled()),
    }
    assert cancelled == task | {
        "status": "FAILED",
        "is_finished": True,
        "outcome": "cancelled",
        "finished_at": cancelled["finished_at"],
        "errors": [error],
    }
    assert client.get(task["url"]).json() == cancelled


@in_process
def test_cancelling_again_changes_nothing_and_sends_nothing(client: Client) -> None:
    task = enqueue(client)
    first = cancel(client, task).json()
    finished: list[Any] = []
    with connected(task_finished, lambda **_: finished.append(None)):
        again = cancel(client, task)

    assert (again.status_code, again.json()) == (200, first)
    assert finished == []


@in_process
@pytest.mark.parametrize(
    "columns",
    [
        {"status": "RUNNING", "worker_ids": ["w"]},
        {"status": "SUCCESSFUL", "return_value": 1},
        {"status": "FAILED", "exception_class_path": "builtins.ValueError", "traceback": "no"},
        {"status": "FAILED", "exception_class_path": "tasks_api.exceptions.WorkerLost"},
    ],
    ids=["running", "successful", "failed", "lost"],
)
def test_whoever_is_late_is_told_so(client: Client, columns: dict[str, Any]) -> None:
    task = enqueue(client)
    set_row(task, **columns)
    before = client.get(task["url"]).json()

    assert_problem(cancel(client, task), 409, "not_cancellable")
    assert client.get(task["url"]).json() == before


@in_process
def test_a_claim_between_the_look_and_the_write_wins(client: Client) -> None:
    task = enqueue(client)

    claimed: list[Any] = []

    def claim_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and not claimed:
            claimed.append(None)
            set_row(task, status="RUNNING", worker_ids=["w"])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(claim_once):
        assert_problem(cancel(client, task), 409, "not_cancellable")
    assert claimed
    assert client.get(task["url"]).json()["status"] == "RUNNING"


@in_process
def test_a_task_that_is_removed_meanwhile_is_not_there(client: Client) -> None:
    task = enqueue(client)

    def remove(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE"):
            DBTaskResult.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(remove):
        assert_problem(cancel(client, task), 404, "not_found")


@in_process
def test_a_cancel_is_one_compare_and_set(client: Client) -> None:
    task = enqueue(client)
    with CaptureQueriesContext(connection) as queries:
        assert cancel(client, task).status_code == 200

    words = [query["sql"].split()[0] for query in queries.captured_queries]
    assert words == ["SELECT", "UPDATE", "SELECT"]


@in_process
def test_a_task_whose_code_is_gone_is_cancelled(client: Client) -> None:
    task = enqueue(client)
    set_row(task, task_path="removed.tasks.nothing", queue_name="gone", backend_name="gone")

    response = cancel(client, task)
    assert (response.status_code, response.json()["status"]) == (200, "FAILED")


# What runs is told to stop.


def run_by_us(task: dict[str, Any], **columns: Any) -> None:
    """Leave what a claim by a worker of ours leaves."""
    set_row(task, status="RUNNING", worker_ids=["before", "w"], **columns)
    models.Worker.objects.create(worker_id="w", hostname="h", pid=1, current_task=task["id"])


@in_process
def test_a_task_that_runs_is_told_to_stop_once(client: Client) -> None:
    task = enqueue(client)
    run_by_us(task)
    first = cancel(client, task)

    assert first.status_code == 202
    assert first.headers["Retry-After"] == "1"
    told = first.json()
    assert told["cancel_requested_at"] >= task["enqueued_at"]
    before = {**task, "status": "RUNNING", "attempts": 2, "worker_ids": ["before", "w"]}
    assert told == before | {"cancel_requested_at": told["cancel_requested_at"]}
    again = cancel(client, task)
    assert (again.status_code, again.json()) == (202, told)
    assert client.get(task["url"]).json() == told


@in_process
def test_what_is_kept_of_earlier_attempts_stays(client: Client) -> None:
    task = enqueue(client)
    run_by_us(task)
    error = {"attempt": 1, "failed_at": "2026-11-22T09:00:00.000000Z", "worker_id": "before"}
    error |= {"exception_class_path": "builtins.OSError", "traceback": "no"}
    TaskRun.objects.create(task_id=task["id"], errors=[error])

    told = cancel(client, task).json()
    assert told["errors"] == [error]
    assert told["cancel_requested_at"]


@in_process
@pytest.mark.parametrize("current_task", [None, "00000000-0000-8000-8000-000000000000"])
def test_what_nobody_of_ours_runs_cannot_be_told(client: Client, current_task: Any) -> None:
    task = enqueue(client)
    set_row(task, status="RUNNING", worker_ids=["w"])
    models.Worker.objects.create(worker_id="w", hostname="h", pid=1, current_task=current_task)

    problem = assert_problem(cancel(client, task), 409, "not_cancellable")
    assert "cannot be told to stop" in problem["detail"]
    assert not TaskRun.objects.exists()


@in_process
@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({"status": "SUCCESSFUL", "return_value": 1}, 409),
        ({"status": "FAILED", "exception_class_path": "builtins.ValueError"}, 409),
        ({"status": "FAILED", "exception_class_path": CANCELLED}, 200),
    ],
    ids=["successful", "failed", "cancelled"],
)
def test_once_finished_it_is_as_it_ended(
    client: Client, columns: dict[str, Any], status: int
) -> None:
    task = enqueue(client)
    run_by_us(task)
    assert cancel(client, task).status_code == 202
    set_row(task, **columns)

    assert cancel(client, task).status_code == status


@in_process
def test_a_task_that_is_put_back_meanwhile_is_ended(client: Client) -> None:
    task = enqueue(client)
    run_by_us(task)
    put_back: list[Any] = []

    def put_back_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # After the first look, and before the lock.
        if put_back == ["looked"] and sql.startswith("SELECT"):
            put_back.append("put back")
            set_row(task, status="READY")
        elif not put_back and "LEFT OUTER JOIN" in sql:
            put_back.append("looked")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(put_back_once):
        response = cancel(client, task)
    assert put_back == ["looked", "put back"]
    assert (response.status_code, response.json()["outcome"]) == (200, "cancelled")
    assert not TaskRun.objects.exists()


@in_process
def test_a_task_that_changes_all_the_time_is_not_followed_for_ever(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = enqueue(client)
    changes: list[str] = []

    def come_late(adapter: Any, identifier: str, status: str) -> Any:
        changes.append(status)
        set_row(task, status=status)
        return adapter.get(identifier)

    monkeypatch.setattr(DatabaseAdapter, "cancel", partialmethod(come_late, status="RUNNING"))
    monkeypatch.setattr(DatabaseAdapter, "request_stop", partialmethod(come_late, status="READY"))
    problem = assert_problem(cancel(client, task), 409, "not_cancellable")

    assert "too often" in problem["detail"]
    assert len(changes) == MAX_LOOKS


def cancel_and_wait(client: Client, task: dict[str, Any], prefer: str) -> Any:
    threaded: dict[str, Any] = {"wsgi.multithread": True}
    return client.post(
        f"{task['url']}cancel/",
        content_type="application/json",
        headers={"Prefer": prefer},
        **threaded,
    )


@in_process
@pytest.mark.parametrize(
    "ended",
    [
        {"status": "SUCCESSFUL", "return_value": "done"},
        {"status": "FAILED", "exception_class_path": CANCELLED},
    ],
    ids=["successful", "cancelled"],
)
def test_whoever_prefers_to_wait_is_told_how_it_ended(
    client: Client, ended: dict[str, Any]
) -> None:
    task = enqueue(client)
    run_by_us(task)
    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(end_when_told, task, ended)
        response = cancel_and_wait(client, task, "wait=30")
        ending.result()

    assert (response.status_code, response.json()["status"]) == (200, ended["status"])
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.json()["cancel_requested_at"]


def end_when_told(task: dict[str, Any], ended: dict[str, Any]) -> None:
    try:
        wait_until(TaskRun.objects.filter(pk=task["id"]).exists, what="request to stop")
        set_row(task, **ended)
    finally:
        connection.close()


@in_process
def test_whoever_waits_in_vain_gets_it_as_it_runs(client: Client) -> None:
    task = enqueue(client)
    run_by_us(task)
    response = cancel_and_wait(client, task, "wait=1")

    assert (response.status_code, response.json()["status"]) == (202, "RUNNING")
    assert response.headers["Preference-Applied"] == "wait=1"


# Signals.


@in_process
def test_task_finished_is_sent_once_when_it_is_stored(client: Client) -> None:
    task = enqueue(client)
    seen: list[Any] = []

    def note(sender: type, task_result: Any, **_: Any) -> None:
        stored = DBTaskResult.objects.get(pk=task["id"]).status
        seen.append((sender.__name__, task_result.id, task_result.status, stored))
        assert task_result.errors[0].exception_class is TaskCancelled

    with connected(task_finished, note):
        assert cancel(client, task).status_code == 200

    assert seen == [("DatabaseBackend", task["id"], "FAILED", "FAILED")]


@in_process
def test_a_cancellation_is_logged_as_no_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    task = enqueue(client)
    with caplog.at_level("INFO"):
        for _ in range(2):
            assert cancel(client, task).status_code == 200

    (record,) = _logged(caplog, task)
    assert (record.levelname, record.exc_info) == ("INFO", None)
    assert record.getMessage() == f"Task {task['id']} ({HELLO['task']}) was cancelled"


@in_process
def test_a_task_that_failed_is_logged_as_an_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    task = enqueue(client)
    set_row(task, status="FAILED", exception_class_path="builtins.ValueError", traceback="x")
    result = DBTaskResult.objects.get(pk=task["id"]).task_result
    try:
        raise ValueError
    except ValueError:
        task_finished.send(DatabaseBackend, task_result=result)

    (record,) = _logged(caplog, task)
    assert (record.name, record.levelname) == ("django.tasks", "ERROR")
    assert record.exc_info


def _logged(caplog: pytest.LogCaptureFixture, task: Any) -> list[logging.LogRecord]:
    """Return what is logged about a task, but not by the receivers of the tests' own tasks."""
    records = [each for each in caplog.records if each.name != "tests.worker"]
    return [each for each in records if task["id"] in each.getMessage()]


@in_process
def test_a_receiver_that_fails_changes_no_verdict(client: Client, caplog: Any) -> None:
    task = enqueue(client)

    def fail(**_: Any) -> None:
        raise RuntimeError("a receiver")

    with connected(task_finished, fail):
        assert cancel(client, task).status_code == 200

    assert "a receiver of task_finished failed" in caplog.text
    assert client.get(task["url"]).json()["status"] == "FAILED"


# Who may, and where.


@in_process
def test_another_clients_task_is_not_there(client: Client) -> None:
    task = enqueue(client)
    other = models.Client.objects.create(name="other", scopes=["cancel", "read"])
    others = Client(headers=bearer(issue(other).text))

    assert_problem(cancel(others, task), 404, "not_found")
    for url in ("/tasks/x/", "/tasks/00000000-0000-8000-8000-000000000000/"):
        assert_problem(cancel(client, {"url": url}), 404, "not_found")
    assert client.get(task["url"]).json()["status"] == "READY"


@in_process
@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["cancel"], 404), (["admin", "cancel"], 200), (["admin"], 403), (["enqueue", "read"], 403)],
)
def test_cancelling_takes_its_scope(client: Client, scopes: list[str], status: int) -> None:
    task = enqueue(client)
    other = models.Client.objects.create(name="other", scopes=scopes)
    others = Client(headers=bearer(issue(other).text))

    assert cancel(others, task).status_code == status


@in_process
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (IMMEDIATE, 501, "results_not_supported"),
        (DUMMY, 501, "results_not_supported"),
        (KEEPING, 400, "not_supported_by_backend"),
    ],
)
def test_a_backend_that_cannot_says_so(client: Client, path: str, status: int, code: str) -> None:
    with default_backend(path):
        assert_problem(cancel(client, enqueue(client)), status, code)


# Bodies: there is none.


@in_process
@pytest.mark.parametrize("body", ["", "{}", " {\n} "])
def test_no_body_and_an_empty_object_are_the_same(client: Client, body: str) -> None:
    assert cancel(client, enqueue(client), body).status_code == 200


@in_process
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "malformed_json"),
        (" ", "malformed_json"),
        ('{"reason": "no"}', "invalid_request"),
        ("[]", "invalid_request"),
        ("null", "invalid_request"),
        ("0", "invalid_request"),
    ],
)
def test_a_body_is_refused(client: Client, body: str, code: str) -> None:
    task = enqueue(client)

    assert_problem(cancel(client, task, body), 400, code)
    assert client.get(task["url"]).json()["status"] == "READY"


def test_every_form_of_an_empty_body_is_taken(service: LiveService) -> None:
    def later() -> str:
        url: str = service.post("/tasks/", LATER).json()["url"]
        return url

    assert service.client.post(f"{later()}cancel/").status_code == 200
    assert service.client.post(f"{later()}cancel").status_code == 200
    assert service.post(f"{later()}cancel/", content=iter([b""])).status_code == 200
    assert service.post(f"{later()}cancel/", content=iter([b"{", b"}"])).status_code == 200
    form = {"Content-Type": "text/plain"}
    assert service.client.post(f"{later()}cancel/", headers=form).status_code == 200
    refused = service.post(f"{later()}cancel/", content=b"{}", headers=form)
    assert_problem(refused, 415, "unsupported_media_type")
    assert_problem(service.get(f"{later()}cancel/"), 405, "method_not_allowed")
    assert_problem(service.get(f"{later()}cancel/?x=1"), 405, "method_not_allowed")
    problem = service.post(f"{later()}cancel/?now=1")
    assert assert_problem(problem, 400, "invalid_request")["errors"][0]["parameter"] == "now"


# Races with a worker.


def test_a_task_is_either_cancelled_or_run(service: LiveService) -> None:
    answers: dict[str, int] = {}
    end = time.monotonic() + DEADLINE
    while len(answers) < RACES or (
        not {200, 409}.issubset(answers.values()) and time.monotonic() < end
    ):
        tasks = service.post("/tasks/batch/", {"tasks": [HELLO] * BATCH}).json()["results"]
        # The worker begins with the first of them, and the two meet somewhere.
        for task in reversed(tasks):
            answers[task["url"]] = service.client.post(f"{task['url']}cancel/").status_code

    outcomes: Counter[tuple[int, str]] = Counter()
    for url, answer in answers.items():
        task = service.wait_for(url)
        outcomes[answer, task["status"]] += 1
        if answer == 200:
            assert [error["exception_class_path"] for error in task["errors"]] == [CANCELLED]
            assert (task["attempts"], task["started_at"]) == (0, None)
        elif answer == 202 and task["status"] == "FAILED":
            assert (task["attempts"], task["outcome"]) == (1, "cancelled")
        else:
            assert (task["attempts"], task["return_value"]) == (1, "Hello, Ada!")
    told_to_stop = {(202, "FAILED"), (202, "SUCCESSFUL")}
    assert outcomes.keys() - told_to_stop == {(200, "FAILED"), (409, "SUCCESSFUL")}, outcomes
    log = service.log()
    for url, answer in answers.items():
        identifier = url.rstrip("/").rpartition("/")[2]
        assert (f"Task {identifier} service.tasks.say_hello RUNNING" in log) == (answer != 200)
