"""Every kind of task, enqueued and read over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService

MEMBERS = [
    "id",
    "url",
    "task",
    "status",
    "is_finished",
    "outcome",
    "args",
    "kwargs",
    "queue_name",
    "priority",
    "run_after",
    "expires_at",
    "backend",
    "enqueued_at",
    "started_at",
    "last_attempted_at",
    "finished_at",
    "cancel_requested_at",
    "attempts",
    "max_attempts",
    "timeout_seconds",
    "worker_ids",
    "return_value",
    "errors",
]


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def test_an_enqueued_task_has_every_member(start_service: Any) -> None:
    service = start_service(worker=False)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    response = service.post(
        "/tasks/", {"task": "service.tasks.add", "args": [1], "kwargs": {"b": 2}}
    )
    after = datetime.now(UTC)

    assert response.status_code == 202
    assert response.headers["Retry-After"] == "1"
    task = response.json()
    assert list(task) == MEMBERS
    assert before <= moment(task["enqueued_at"]) <= after
    assert task | {"id": "", "url": "", "enqueued_at": ""} == {
        "id": "",
        "url": "",
        "task": "service.tasks.add",
        "status": "READY",
        "is_finished": False,
        "outcome": None,
        "args": [1],
        "kwargs": {"b": 2},
        "queue_name": "default",
        "priority": 0,
        "run_after": None,
        "expires_at": None,
        "backend": "default",
        "enqueued_at": "",
        "started_at": None,
        "last_attempted_at": None,
        "finished_at": None,
        "cancel_requested_at": None,
        "attempts": 0,
        "max_attempts": 1,
        "timeout_seconds": None,
        "worker_ids": [],
        "return_value": None,
        "errors": [],
    }
    assert service.get(task["url"]).json() == task


def test_integers_may_be_written_with_a_fraction_or_an_exponent(service: LiveService) -> None:
    call = '{"task": "service.tasks.add", "args": [1e2, 2.0, 3.0], "priority": 5.0}'
    single = service.post("/tasks/", content=call.encode())
    batch = service.post("/tasks/batch/", content=f'{{"tasks": [{call}]}}'.encode())

    assert (single.status_code, batch.status_code) == (202, 202), single.text + batch.text
    for task in (single.json(), *batch.json()["results"]):
        assert str([task["args"], task["priority"]]) == "[[100, 2, 3], 5]"
        assert str(service.wait_for(task["url"])["return_value"]) == "105"


def test_a_successful_task_tells_its_return_value(service: LiveService) -> None:
    task = service.run_task("service.tasks.add", 1, 2, 3, 4)

    assert list(task) == MEMBERS
    assert (task["status"], task["is_finished"]) == ("SUCCESSFUL", True)
    assert (task["return_value"], task["errors"]) == (10, [])
    assert (task["attempts"], len(task["worker_ids"])) == (1, 1)
    enqueued, started, finished = (
        moment(task[name]) for name in ("enqueued_at", "started_at", "finished_at")
    )
    assert enqueued <= started <= finished
    assert task["last_attempted_at"] == task["started_at"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("return_null", None),
        ("return_boolean", True),
        ("return_integer", 2**63 + 1),
        ("return_number", 0.1),
        ("return_string", "aé€😀"),
        ("return_array", [None, False, 1, 1.5, "one", [], {}]),
        ("return_object", {"": None, "nested": {"deep": [1, {"deeper": True}]}}),
    ],
)
def test_a_return_value_may_be_any_json(service: LiveService, name: str, value: Any) -> None:
    assert service.run_task(f"tests.tasks.{name}")["return_value"] == value


def test_async_tasks_and_tasks_with_a_context_run(service: LiveService) -> None:
    assert service.run_task("tests.tasks.wait_and_double", number=21)["return_value"] == 42
    assert service.run_task("tests.tasks.tell_attempt")["return_value"] == "attempt 1"
    assert service.run_task("tests.tasks.tell_attempt", "try")["return_value"] == "try 1"
    assert service.run_task("tests.tasks.tell_attempt_later")["return_value"] == 1


@pytest.mark.parametrize("name", ["raise_value_error", "raise_value_error_later"])
def test_a_failed_task_tells_its_exception(service: LiveService, name: str) -> None:
    task = service.run_task(f"tests.tasks.{name}", message="out of stock")

    assert (task["status"], task["is_finished"], task["return_value"]) == ("FAILED", True, None)
    (error,) = task["errors"]
    assert error["exception_class_path"] == "builtins.ValueError"
    assert error["traceback"].startswith("Traceback (most recent call last):")
    assert error["traceback"].endswith("ValueError: out of stock\n")


def test_a_return_value_that_is_not_json_fails_the_task(service: LiveService) -> None:
    task = service.run_task("tests.tasks.return_no_json")

    assert (task["status"], task["return_value"]) == ("FAILED", None)
    (error,) = task["errors"]
    assert error["exception_class_path"] == "tasks_api.exceptions.ResultNotStorable"
    assert "tests.tasks.NoJSON" in error["traceback"]


def test_a_welcome_for_nobody_fails_with_does_not_exist(service: LiveService) -> None:
    task = service.run_task("service.tasks.send_welcome_email", user_id=10**9)

    assert (task["queue_name"], task["priority"]) == ("emails", 2)
    assert task["errors"][0]["exception_class_path"].endswith("User.DoesNotExist")


def test_queue_and_priority_can_be_chosen(service: LiveService) -> None:
    body = {"task": "tests.tasks.has_a_queue_and_a_priority"}
    default = service.post("/tasks/", body).json()
    assert (default["queue_name"], default["priority"]) == ("emails", 7)

    chosen = service.post("/tasks/", {**body, "queue_name": "reports", "priority": -100}).json()
    assert (chosen["queue_name"], chosen["priority"]) == ("reports", -100)
    assert service.wait_for(chosen["url"])["queue_name"] == "reports"
    zero = service.post("/tasks/", {**body, "priority": 0}).json()
    assert zero["priority"] == 0


def test_a_queue_that_the_backend_does_not_have_is_refused(service: LiveService) -> None:
    for queue_name in ("nowhere", "", "x" * 33, "default\n"):
        body = {"task": "tests.tasks.return_null", "queue_name": queue_name}
        problem = assert_problem(service.post("/tasks/", body), 400, "not_supported_by_backend")
        assert [fault["pointer"] for fault in problem["errors"]] == ["/queue_name"]
        assert "emails" in problem["errors"][0]["detail"]


def test_a_deferred_task_waits(service: LiveService) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    body = {"task": "tests.tasks.return_null", "run_after": later.isoformat()}
    response = service.post("/tasks/", body)

    assert response.headers["Retry-After"] == "60"
    task = service.get(response.headers["Location"])
    assert task.headers["Retry-After"] == "60"
    assert moment(task.json()["run_after"]) == later
    assert task.json()["status"] == "READY"


def test_a_deferred_task_says_how_many_seconds_to_wait(service: LiveService) -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    body = {"task": "tests.tasks.return_null", "run_after": later.isoformat()}

    assert 25 <= int(service.post("/tasks/", body).headers["Retry-After"]) <= 30


def test_a_task_deferred_for_a_moment_runs_after_it(service: LiveService) -> None:
    later = datetime.now(UTC) + timedelta(seconds=1)
    body = {"task": "tests.tasks.return_null", "run_after": later.isoformat()}
    task = service.wait_for(service.post("/tasks/", body).headers["Location"])

    assert moment(task["started_at"]) >= later


@pytest.mark.parametrize(
    "passed",
    [
        "2020-01-01T00:00:00Z",
        "2020-01-01t00:00:00z",
        "2020-01-01T00:00:00.123456789+05:30",
        "0001-01-01T00:00:00Z",
        "2020-02-29T23:59:59-00:00",
    ],
)
def test_a_moment_that_has_passed_means_now(service: LiveService, passed: str) -> None:
    body = {"task": "tests.tasks.return_null", "run_after": passed}
    task = service.wait_for(service.post("/tasks/", body).headers["Location"])

    assert (task["run_after"], task["status"]) == (None, "SUCCESSFUL")


@pytest.mark.parametrize(
    "sentinel", ["9999-01-01T00:00:00Z", "9999-01-01T01:00:00+01:00", "9999-12-31T23:59:59Z"]
)
def test_the_moment_that_means_no_delay_to_the_backend_is_refused(
    service: LiveService, sentinel: str
) -> None:
    body = {"task": "tests.tasks.return_null", "run_after": sentinel}
    problem = assert_problem(service.post("/tasks/", body), 400, "not_supported_by_backend")

    assert [fault["pointer"] for fault in problem["errors"]] == ["/run_after"]


def test_a_keyword_called_self_is_refused(service: LiveService) -> None:
    for name in ("tests.tasks.echo", "service.tasks.say_hello"):
        response = service.post("/tasks/", {"task": name, "kwargs": {"self": 1, "name": "Ada"}})
        problem = assert_problem(response, 400, "invalid_arguments")
        assert "/kwargs/self" in [fault["pointer"] for fault in problem["errors"]]


def test_the_context_is_not_the_clients_to_give(service: LiveService) -> None:
    body = {"task": "tests.tasks.tell_attempt", "kwargs": {"context": {}}}
    problem = assert_problem(service.post("/tasks/", body), 400, "invalid_arguments")

    assert [fault["pointer"] for fault in problem["errors"]] == ["/kwargs/context"]


def test_arguments_that_do_not_bind_are_refused_all_at_once(service: LiveService) -> None:
    body = {"task": "service.tasks.say_hello", "kwargs": {"nmae": "Ada", "x": 1}}
    problem = assert_problem(service.post("/tasks/", body), 400, "invalid_arguments")

    assert {(fault["pointer"], fault["code"]) for fault in problem["errors"]} == {
        ("/kwargs/name", "missing"),
        ("/kwargs/nmae", "unknown_member"),
        ("/kwargs/x", "unknown_member"),
    }


def test_a_poll_without_news_is_answered_304(service: LiveService) -> None:
    url = service.post("/tasks/", {"task": "tests.tasks.return_null"}).headers["Location"]
    service.wait_for(url)
    first = service.get(url)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')

    for matching in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = service.get(url, headers={"If-None-Match": matching})
        assert (again.status_code, again.content) == (304, b"")
        assert "Content-Length" not in again.headers
        assert again.headers["ETag"] == tag
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert again.headers["Vary"] == first.headers["Vary"]
        assert "Retry-After" not in again.headers
    for other in ('W/"other"', "nonsense", ""):
        assert service.get(url, headers={"If-None-Match": other}).status_code == 200


def test_a_304_of_an_unfinished_task_says_when_to_ask_again(service: LiveService) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"task": "tests.tasks.return_null", "run_after": later}
    url = service.post("/tasks/", body).headers["Location"]
    response = service.get(url, headers={"If-None-Match": service.get(url).headers["ETag"]})

    assert (response.status_code, response.headers["Retry-After"]) == (304, "60")


def test_a_tag_changes_with_the_task(start_service: Any) -> None:
    service = start_service(worker=False)
    url = service.post("/tasks/", {"task": "tests.tasks.return_null"}).headers["Location"]
    ready = service.get(url).headers["ETag"]
    assert service.get(url).headers["ETag"] == ready

    service.start_worker()
    service.wait_for(url)

    assert service.get(url, headers={"If-None-Match": ready}).status_code == 200


def test_public_url_is_what_urls_begin_with(start_service: Any) -> None:
    service = start_service({"PUBLIC_URL": "https://tasks.example.org/"}, worker=False)
    response = service.post("/tasks/", {"task": "tests.tasks.return_null"})

    assert response.headers["Location"] == response.json()["url"]
    assert response.json()["url"].startswith("https://tasks.example.org/tasks/")
    assert service.get("/").json()["tasks"] == "https://tasks.example.org/tasks/"
