"""What a call says of when its task runs, how often it is tried and how long an attempt may take."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.signals import post_save
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from tests.http.test_cancel import HELLO, enqueue, set_row
from tests.http.test_hostile_bodies import assert_problem
from tests.signals import connected
from tests.task_backends import CAREFUL, FORGETFUL, IMMEDIATE, KEEPING, default_backend

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = {"max_attempts": 5, "timeout_seconds": 30}
LATE = "9998-12-31T23:59:59.999999Z"


@pytest.fixture(autouse=True)
def policies() -> Iterator[None]:
    policies = {HELLO["task"]: POLICY}
    with override_settings(TASKS_API={**settings.TASKS_API, "POLICIES": policies}):
        yield


def refused(client: Client, members: dict[str, Any], code: str = "invalid_request") -> Any:
    """Return the faults of a call, which are the same in a batch."""
    call = {**HELLO, **members}
    single = client.post("/tasks/", json.dumps(call), content_type="application/json")
    batch = client.post(
        "/tasks/batch/", json.dumps({"tasks": [call]}), content_type="application/json"
    )
    faults: list[dict[str, str]] = assert_problem(single, 400, code)["errors"]
    of_batch = assert_problem(batch, 400, code)["errors"]
    assert of_batch == [{**one, "pointer": "/tasks/0" + one["pointer"]} for one in faults]
    assert not DBTaskResult.objects.exists()
    return [(one["pointer"].removeprefix("/"), one["code"], one["detail"]) for one in faults]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# What is said is stored, told, and passed on.


def test_a_task_tells_what_its_policy_says_unless_its_call_says_less(client: Client) -> None:
    task = enqueue(client)
    assert (task["max_attempts"], task["timeout_seconds"]) == (5, 30)
    assert "call" not in DBTaskResult.objects.get(pk=task["id"]).args_kwargs

    less = enqueue(client, {**HELLO, "max_attempts": 2, "timeout_seconds": 1.5})
    assert (less["max_attempts"], less["timeout_seconds"]) == (2, 1.5)
    assert client.get(less["url"]).json() == less
    row = DBTaskResult.objects.get(pk=less["id"])
    assert row.args_kwargs["call"] == {"max_attempts": 2, "timeout_seconds": 1.5}

    as_much = enqueue(client, {**HELLO, "max_attempts": 5.0, "timeout_seconds": 30})
    assert (as_much["max_attempts"], as_much["timeout_seconds"]) == (5, 30)


def test_a_policy_that_says_less_later_applies(client: Client) -> None:
    task = enqueue(client, {**HELLO, "max_attempts": 4, "timeout_seconds": 20})
    policies = {HELLO["task"]: {"max_attempts": 3, "timeout_seconds": 10}}
    with override_settings(TASKS_API={**settings.TASKS_API, "POLICIES": policies}):
        told = client.get(task["url"]).json()
    assert (told["max_attempts"], told["timeout_seconds"]) == (3, 10)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("backend", ["", CAREFUL])
def test_a_call_with_limits_is_stored_by_any_database_backend(
    client: Client, backend: str, batch: bool
) -> None:
    call = {**HELLO, "expires_at": "2100-01-01T01:00:00+01:00", "max_attempts": 1}
    with default_backend(backend or settings.TASKS["default"]["BACKEND"]):
        if batch:
            body = json.dumps({"tasks": [call, HELLO]})
            answer = client.post("/tasks/batch/", body, content_type="application/json").json()
            task = answer["results"][0]
        else:
            task = enqueue(client, call)
        assert task["expires_at"] == "2100-01-01T00:00:00.000000Z"
        assert client.get(task["url"]).json() == task
    assert DBTaskResult.objects.get(pk=task["id"]).args_kwargs == {
        "args": [],
        "kwargs": HELLO["kwargs"],
        "call": {"expires_at": "2100-01-01T00:00:00.000000Z", "max_attempts": 1},
    }


def test_limits_arrive_though_somebody_listens_to_the_models_signals(client: Client) -> None:
    def touch(instance: Any, created: bool, **_: Any) -> None:
        if created:
            instance.save()

    with connected(post_save, touch):
        task = enqueue(client, {**HELLO, "max_attempts": 2})
    assert client.get(task["url"]).json()["max_attempts"] == 2


def test_a_call_with_limits_is_one_insert(client: Client) -> None:
    assert client.get("/client/").status_code == 200
    with CaptureQueriesContext(connection) as queries:
        enqueue(client, {**HELLO, "max_attempts": 2, "expires_in_seconds": 60})
    assert [one["sql"].split()[0] for one in queries.captured_queries] == ["INSERT"]


@pytest.mark.parametrize("seconds", [3600, 0.25, 1e-9, 315_360_000])
def test_a_time_may_be_said_in_seconds_from_now(client: Client, seconds: float) -> None:
    before = datetime.now(UTC)
    task = enqueue(client, {**HELLO, "expires_in_seconds": seconds})
    lag = moment(task["expires_at"]) - before - timedelta(seconds=seconds)

    assert timedelta(0) <= lag <= datetime.now(UTC) - before + timedelta.resolution


def test_a_delay_is_a_time_to_run_by_the_servers_clock(client: Client) -> None:
    before = datetime.now(UTC)
    task = enqueue(client, {**HELLO, "delay_seconds": 3600.5})
    lag = moment(task["run_after"]) - before - timedelta(seconds=3600.5)

    assert timedelta(0) <= lag <= datetime.now(UTC) - before
    assert enqueue(client, {**HELLO, "delay_seconds": 0})["run_after"] is None
    ten_years = {**HELLO, "delay_seconds": 10 * 365 * 86_400}
    assert moment(enqueue(client, ten_years)["run_after"]) > before + timedelta(days=3649)


def test_null_is_the_same_as_nothing(client: Client) -> None:
    nulls = dict.fromkeys(
        [
            *("run_after", "delay_seconds", "expires_at", "expires_in_seconds"),
            *("max_attempts", "timeout_seconds"),
        ]
    )
    task = enqueue(client, {**HELLO, **nulls})
    assert DBTaskResult.objects.get(pk=task["id"]).args_kwargs.keys() == {"args", "kwargs"}
    both = {"run_after": None, "delay_seconds": 5, "expires_at": None, "expires_in_seconds": 9}
    assert enqueue(client, {**HELLO, **both})["expires_at"]


# What is refused.

TIME = "Should be an RFC 3339 date-time with an offset, such as 2026-11-22T09:00:00Z."
DELAY = "Should be a number from 0 to 315,360,000: ten years."
EXPIRES_IN = "Should be a number above 0 and at most 315,360,000: ten years."
TIMEOUT = "Should be a number above 0 and at most 604,800."
ATTEMPTS = "Should be a whole number, at least 1."


@pytest.mark.parametrize(
    ("name", "values", "code", "detail"),
    [
        ("delay_seconds", [True, "5", [], {}], "number_type", DELAY),
        ("delay_seconds", [-1, -1e-9, 315_360_001, 1e300, 10**400], "out_of_range", DELAY),
        ("expires_in_seconds", [True, False, "5", []], "number_type", EXPIRES_IN),
        ("expires_in_seconds", [0, -1, 1e12, 1e300, 10**400], "out_of_range", EXPIRES_IN),
        ("expires_at", [5, True, "", "2100-01-01", "2100-02-30T00:00:00Z"], "date_time", TIME),
        (
            "expires_at",
            ["9999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
            "out_of_range",
            "Should be before the year 9999.",
        ),
        ("max_attempts", [True, "2", 1.5, [], 1e300], "integer_type", ATTEMPTS),
        ("max_attempts", [0, -1, -(10**400)], "out_of_range", ATTEMPTS),
        (
            "max_attempts",
            [6, 26, 10**400],
            "above_policy",
            "Should be at most 5, as the task's policy says.",
        ),
        ("timeout_seconds", [True, "2", []], "number_type", TIMEOUT),
        ("timeout_seconds", [0, -0.0, -5, 604_801, 1e300, 10**400], "out_of_range", TIMEOUT),
        (
            "timeout_seconds",
            [30.001, 604_800],
            "above_policy",
            "Should be at most 30, as the task's policy says.",
        ),
        (
            "expires_at",
            ["2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
            "expires_too_early",
            "Should be after the present time.",
        ),
    ],
)
def test_a_wrong_value_is_refused(
    client: Client, name: str, values: list[Any], code: str, detail: str
) -> None:
    for value in values:
        assert refused(client, {name: value}) == [(name, code, detail)]


def test_without_a_policy_there_is_one_attempt_that_may_take_a_week(client: Client) -> None:
    call = {"task": "service.tasks.add", "args": [1, 1]}
    assert enqueue(client, call)["timeout_seconds"] is None
    assert enqueue(client, {**call, "timeout_seconds": 604_800})["timeout_seconds"] == 604_800
    response = client.post(
        "/tasks/", json.dumps({**call, "max_attempts": 2}), content_type="application/json"
    )
    [fault] = assert_problem(response, 400, "invalid_request")["errors"]
    assert fault["detail"] == "Should be at most 1, as the task's policy says."


def test_the_longest_time_is_told_exactly(client: Client) -> None:
    call = {"task": "service.tasks.add", "args": [1, 1]}
    policies = {call["task"]: {"timeout_seconds": 123_456.7}}
    with override_settings(TASKS_API={**settings.TASKS_API, "POLICIES": policies}):
        response = client.post(
            "/tasks/",
            json.dumps({**call, "timeout_seconds": 123_456.8}),
            content_type="application/json",
        )
        assert enqueue(client, {**call, "timeout_seconds": 123_456.7})

    [fault] = assert_problem(response, 400, "invalid_request")["errors"]
    assert fault["detail"] == "Should be at most 123456.7, as the task's policy says."


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [("run_after", "delay_seconds", 5), ("expires_at", "expires_in_seconds", 5)],
)
def test_a_time_is_said_in_one_way(client: Client, first: str, second: str, value: Any) -> None:
    detail = f"Should not be given together with `{first}`."
    faults = refused(client, {first: LATE.replace("9998", "2100"), second: value})
    assert faults == [(second, "either_or", detail)]


@pytest.mark.parametrize("begins", ["run_after", "delay_seconds"])
@pytest.mark.parametrize("ends", ["expires_at", "expires_in_seconds"])
def test_a_task_does_not_expire_before_it_may_run(client: Client, begins: str, ends: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    start = {"run_after": soon.isoformat(), "delay_seconds": 3600}[begins]
    end = {"expires_at": (soon - timedelta(minutes=1)).isoformat(), "expires_in_seconds": 60}[ends]
    faults = refused(client, {begins: start, ends: end})

    assert faults == [
        (ends, "expires_too_early", "Should be after the time at which the task may run.")
    ]
    past = {"run_after": "2020-01-01T00:00:00Z", ends: end}
    assert enqueue(client, {**HELLO, **past})["expires_at"]


@pytest.mark.parametrize("backend", [IMMEDIATE, KEEPING])
def test_a_backend_that_knows_no_limits_says_so(client: Client, backend: str) -> None:
    with default_backend(backend):
        for members, code in (
            ({"max_attempts": 1}, "limit_not_supported"),
            ({"timeout_seconds": 30}, "limit_not_supported"),
            ({"expires_at": LATE}, "limit_not_supported"),
            ({"expires_in_seconds": 5}, "limit_not_supported"),
            ({"expires_in_seconds": 5, "max_attempts": 2}, "limit_not_supported"),
            ({"delay_seconds": 60}, "run_after_not_supported"),
        ):
            if code == "run_after_not_supported" and backend == KEEPING:
                continue
            response = client.post(
                "/tasks/", json.dumps({**HELLO, **members}), content_type="application/json"
            )
            faults = assert_problem(response, 400, "not_supported_by_backend")["errors"]
            assert {one["pointer"] for one in faults} == {f"/{name}" for name in members}
            assert {one["code"] for one in faults} == {code}
        task = enqueue(client)
        assert (task["max_attempts"], task["timeout_seconds"]) == (1, None)
        policy = client.get(f"/task-types/{HELLO['task']}/").json()["policy"]
        assert (policy["max_attempts"], policy["timeout_seconds"]) == (1, None)


def test_a_backend_of_ones_own_that_keeps_its_rows_elsewhere_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with default_backend(CAREFUL), connected(post_save, _take_away):
        response = client.post(
            "/tasks/", json.dumps({**HELLO, "max_attempts": 2}), content_type="application/json"
        )
    faults = assert_problem(response, 400, "not_supported_by_backend")["errors"]
    assert [one["code"] for one in faults] == ["backend_rule"]


def _take_away(instance: Any, **_: Any) -> None:
    if isinstance(instance, DBTaskResult):
        DBTaskResult.objects.filter(pk=instance.pk).delete()


# The same request again.


def test_a_request_with_a_key_is_replayed_whatever_the_time(client: Client) -> None:
    body = {**HELLO, "delay_seconds": 60, "expires_in_seconds": 120, "max_attempts": 2}
    first, again = (
        client.post(
            "/tasks/",
            json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": "one"},
        )
        for _ in range(2)
    )
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json() == first.json()
    other = client.post(
        "/tasks/",
        json.dumps({**body, "delay_seconds": 61}),
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )
    assert_problem(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize("backend", [IMMEDIATE, FORGETFUL])
def test_what_cannot_be_read_again_is_replayed_with_its_errors_and_limits(
    client: Client, backend: str
) -> None:
    call: dict[str, Any] = {"task": "service.tasks.send_welcome_email", "args": [0]}
    if backend == FORGETFUL:
        call |= {"expires_at": LATE, "max_attempts": 1}
    with default_backend(backend):
        first, again = (
            client.post(
                "/tasks/",
                json.dumps(call),
                content_type="application/json",
                headers={"Idempotency-Key": "one"},
            )
            for _ in range(2)
        )
        assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    if backend == IMMEDIATE:
        [error] = again.json()["errors"]
        assert (error["attempt"], error["failed_at"]) == (1, again.json()["finished_at"])
        assert error["worker_id"] == again.json()["worker_ids"][-1]
    else:
        assert again.json()["expires_at"] == LATE


def test_a_retry_keeps_what_the_call_has_said_but_its_end(client: Client) -> None:
    said = {"max_attempts": 4, "timeout_seconds": 20, "expires_in_seconds": 60, "delay_seconds": 1}
    task = enqueue(client, {**HELLO, **said})
    set_row(task, status="FAILED", exception_class_path="tasks_api.exceptions.TaskExpired")
    policies = {HELLO["task"]: {"max_attempts": 3}}
    with override_settings(TASKS_API={**settings.TASKS_API, "POLICIES": policies}):
        response = client.post(f"{task['url']}retry/", content_type="application/json")

    again = response.json()
    assert response.status_code == 202
    assert (again["max_attempts"], again["timeout_seconds"]) == (3, 20)
    assert (again["expires_at"], again["run_after"]) == (None, None)
    row = DBTaskResult.objects.get(pk=again["id"])
    assert row.args_kwargs["call"] == {"max_attempts": 3, "timeout_seconds": 20}
