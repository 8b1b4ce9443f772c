"""Several tasks in one request: all of them, in their order, or none."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, OperationalError, connection
from django.db.models import Expression, UUIDField, Value
from django.tasks.signals import task_enqueued
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django_tasks_db.backend import DatabaseBackend
from django_tasks_db.models import DBTaskResult

from tasks_api import ids, models
from tasks_api.backends.database.adapter import DatabaseAdapter
from tasks_api.backends.database.prepared import InsertRows
from tasks_api.calls import idempotency
from tasks_api.calls.checking import check_call
from tasks_api.clients.keys import issue
from tasks_api.problems import UnknownTask
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, LiveService, bearer
from tests.signals import connected
from tests.task_backends import (
    CAREFUL,
    DATABASE,
    DUMMY,
    FORGETFUL,
    IMMEDIATE,
    KEEPING,
    CarefulBackend,
    default_backend,
)

in_process = pytest.mark.django_db(transaction=True)

HELLO = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}


def drawn_by_the_database() -> Expression:
    return Value(uuid4(), output_field=UUIDField())


def hello(name: str) -> dict[str, Any]:
    return {"task": "service.tasks.say_hello", "kwargs": {"name": name}}


def post(client: Client, tasks: Any, headers: dict[str, str] | None = None) -> Any:
    body = json.dumps({"tasks": tasks})
    return client.post("/tasks/batch/", body, content_type="application/json", headers=headers)


def stored() -> int:
    return DBTaskResult.objects.count()


def pointers(problem: dict[str, Any]) -> list[str]:
    return [fault["pointer"] for fault in problem["errors"]]


# What is enqueued.


def test_tasks_of_many_types_are_answered_in_order_and_run(service: LiveService) -> None:
    calls = [
        {"task": "service.tasks.add", "args": [1, 2, 3]},
        hello("Ada"),
        {"task": "service.tasks.generate_monthly_report", "kwargs": {"month": "2026-11"}},
        {"task": "tests.tasks.has_a_queue_and_a_priority"},
        {"task": "service.tasks.fail", "kwargs": {"message": "no"}, "priority": 3},
        {**hello("Bob"), "run_after": "2100-01-01T00:00:00Z"},
    ]
    response = service.post("/tasks/batch/", {"tasks": calls})

    assert response.status_code == 202
    assert list(response.json()) == ["results"]
    assert "Location" not in response.headers
    tasks = response.json()["results"]
    assert [task["task"] for task in tasks] == [call["task"] for call in calls]
    assert [task["args"] for task in tasks] == [call.get("args", []) for call in calls]
    assert [task["kwargs"] for task in tasks] == [call.get("kwargs", {}) for call in calls]
    assert {task["status"] for task in tasks} == {"READY"}
    assert [task["queue_name"] for task in tasks[2:4]] == ["reports", "emails"]
    assert [task["priority"] for task in tasks[2:5]] == [0, 7, 3]
    assert [task["run_after"] for task in tasks] == [None] * 5 + ["2100-01-01T00:00:00.000000Z"]

    finished = [service.wait_for(task["url"]) for task in tasks[:5]]
    assert [task["return_value"] for task in finished] == [
        6,
        "Hello, Ada!",
        "report for 2026-11 ready",
        "done",
        None,
    ]
    assert finished[4]["errors"][0]["exception_class_path"] == "builtins.RuntimeError"
    assert service.get(tasks[5]["url"]).json() == tasks[5]


def test_tasks_run_in_the_order_of_the_list(start_service: Any) -> None:
    service = start_service(worker=False)
    names = [str(number) for number in range(150)]
    tasks = service.post("/tasks/batch/", {"tasks": [hello(name) for name in names]}).json()
    before = [task["id"] for task in tasks["results"]]
    service.start_worker()

    finished = [service.wait_for(f"/tasks/{identifier}/") for identifier in before]

    assert [task["kwargs"]["name"] for task in finished] == names
    started = [datetime.fromisoformat(task["started_at"]) for task in finished]
    assert started == sorted(started)
    assert len(set(started)) == len(started)


@in_process
def test_the_order_of_the_list_is_that_of_the_moments_and_of_the_ids(client: Client) -> None:
    tasks = post(client, [hello(str(number)) for number in range(200)]).json()["results"]

    moments = list(
        DBTaskResult.objects.order_by("id").values_list("enqueued_at", flat=True),
    )
    assert moments == sorted(set(moments))
    newest_first = client.get("/tasks/?page_size=200").json()["results"]
    assert [task["id"] for task in newest_first] == [task["id"] for task in tasks[::-1]]
    assert newest_first == tasks[::-1]


@in_process
def test_a_batch_belongs_to_its_client(client: Client, tasks_client: models.Client) -> None:
    other = models.Client.objects.create(name="other")
    others = Client(headers=bearer(issue(other).text))
    tasks = post(client, [HELLO] * 3).json()["results"]

    for task in tasks:
        assert client.get(task["url"]).status_code == 200
        assert_problem(others.get(task["url"]), 404, "not_found")


@in_process
@pytest.mark.parametrize("number", [1, 1000])
def test_the_smallest_and_the_largest_batch(client: Client, number: int) -> None:
    response = post(client, [HELLO] * number)

    assert response.status_code == 202
    assert len({task["id"] for task in response.json()["results"]}) == number == stored()


@in_process
def test_a_batch_is_a_few_multi_row_inserts(client: Client) -> None:
    assert client.get("/client/").status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert post(client, [HELLO] * 90).status_code == 202
    words = [query["sql"].split()[0] for query in queries.captured_queries]

    assert words.count("INSERT") == 1
    assert set(words) <= {"INSERT", "BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"}


@in_process
def test_task_enqueued_is_sent_for_each(client: Client) -> None:
    results: list[Any] = []
    senders = set()

    def note(sender: type, task_result: Any, **_: Any) -> None:
        senders.add(sender)
        results.append(task_result)

    with connected(task_enqueued, note):
        tasks = post(client, [hello("Ada"), hello("Bob")]).json()["results"]

    assert senders == {DatabaseBackend}
    assert [result.id for result in results] == [task["id"] for task in tasks]
    assert [result.kwargs for result in results] == [{"name": "Ada"}, {"name": "Bob"}]
    for result in results:
        assert (result.status, result.backend, result.attempts) == ("READY", "default", 0)
        assert result.task.module_path == "service.tasks.say_hello"
        result.refresh()
        assert result.status == "READY"


@in_process
def test_what_a_receiver_enqueues_is_not_the_clients(client: Client) -> None:
    seen: list[str] = []

    def follow_up(task_result: Any, **_: Any) -> None:
        if not seen:
            seen.append(task_result.id)
            seen.append(task_result.task.enqueue(name="follow-up").id)

    with connected(task_enqueued, follow_up):
        tasks = post(client, [HELLO, HELLO]).json()["results"]

    assert_problem(client.get(f"/tasks/{seen[1]}/"), 404, "not_found")
    listed = client.get("/tasks/").json()["results"]
    assert {task["id"] for task in listed} == {task["id"] for task in tasks}


# All or nothing.


@in_process
def test_every_fault_of_every_task_is_told_and_nothing_stored(client: Client) -> None:
    response = post(
        client,
        [
            HELLO,
            {"task": "service.tasks.say_hello", "kwargs": {"name": 1, "nam": "Ada"}},
            HELLO,
            {"task": "service.tasks.send_welcome_email", "kwargs": {"user_id": "12"}},
            {"task": "service.tasks.add", "args": [1, True]},
        ],
    )

    problem = assert_problem(response, 400, "invalid_arguments")
    assert pointers(problem) == [
        "/tasks/1/kwargs/name",
        "/tasks/1/kwargs/nam",
        "/tasks/3/kwargs/user_id",
        "/tasks/4/args/1",
    ]
    assert stored() == 0


@in_process
@pytest.mark.parametrize(
    ("wrong", "code", "pointer"),
    [
        ({"task": "os.system", "args": ["true"]}, "unknown_task", "/tasks/1/task"),
        ({"kwargs": {}}, "invalid_request", "/tasks/1/task"),
        ({**HELLO, "when": 1}, "invalid_request", "/tasks/1/when"),
        ({**HELLO, "a/b~c": 1}, "invalid_request", "/tasks/1/a~1b~0c"),
        ({**HELLO, "priority": 101}, "invalid_request", "/tasks/1/priority"),
        ({**HELLO, "queue_name": "no"}, "not_supported_by_backend", "/tasks/1/queue_name"),
        (
            {**HELLO, "run_after": "9999-06-01T00:00:00Z"},
            "not_supported_by_backend",
            "/tasks/1/run_after",
        ),
        (None, "invalid_request", "/tasks/1"),
        ([HELLO], "invalid_request", "/tasks/1"),
        ("x", "invalid_request", "/tasks/1"),
    ],
)
def test_one_wrong_task_is_refused_by_its_own_code(
    client: Client, wrong: Any, code: str, pointer: str
) -> None:
    assert pointers(assert_problem(post(client, [HELLO, wrong]), 400, code)) == [pointer]
    assert stored() == 0


@in_process
def test_faults_of_several_kinds_are_an_invalid_request(client: Client) -> None:
    response = post(client, [{"task": "nothing"}, {"task": "service.tasks.say_hello"}])

    problem = assert_problem(response, 400, "invalid_request")
    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [
        ("/tasks/0/task", "unknown_task"),
        ("/tasks/1/kwargs/name", "missing"),
    ]


@in_process
def test_an_answer_does_not_grow_with_the_faults(client: Client) -> None:
    response = post(client, [{"task": "nothing"}] * 1000)

    problem = assert_problem(response, 400, "unknown_task")
    assert 1 < len(problem["errors"]) <= 100


@in_process
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("null", ""),
        ("[]", ""),
        (json.dumps([HELLO]), ""),
        ("{}", "/tasks"),
        ('{"tasks": null}', "/tasks"),
        ('{"tasks": {}}', "/tasks"),
        ('{"tasks": "x"}', "/tasks"),
        ('{"tasks": []}', "/tasks"),
        (json.dumps({"tasks": [HELLO] * 1001}), "/tasks"),
        (json.dumps({"tasks": [HELLO], "queue_name": "emails"}), "/queue_name"),
        (json.dumps(HELLO), "/task"),
        (r'{"tasks": [{"task": "x", "kwargs": {"a": "\u0000"}}]}', "/tasks/0/kwargs/a"),
        ('{"tasks": [], "tasks": []}', "/tasks"),
    ],
)
def test_what_is_no_batch_is_refused(client: Client, body: str, pointer: str) -> None:
    response = client.post("/tasks/batch/", body, content_type="application/json")

    assert pointer in pointers(assert_problem(response, 400, "invalid_request"))
    assert stored() == 0


@in_process
def test_a_batch_is_no_larger_than_any_body(client: Client) -> None:
    response = post(client, [hello("x" * 600_000)] * 2)

    assert_problem(response, 413, "body_too_large")


@in_process
@pytest.mark.parametrize("path", [IMMEDIATE, DUMMY, KEEPING])
def test_a_backend_without_a_transaction_takes_no_batch(client: Client, path: str) -> None:
    ran: list[Any] = []
    with default_backend(path), connected(task_enqueued, lambda **_: ran.append(1)):
        response = post(client, [HELLO, HELLO])

    problem = assert_problem(response, 400, "not_supported_by_backend")
    assert pointers(problem) == ["/tasks/0/task", "/tasks/1/task"]
    assert {fault["code"] for fault in problem["errors"]} == {"batch_not_supported"}
    assert ran == []


@in_process
def test_a_subclass_enqueues_each_task_itself_in_the_same_transaction(client: Client) -> None:
    with default_backend(CAREFUL):
        response = post(client, [hello("Ada"), hello("Bob")])

    assert response.status_code == 202
    assert CarefulBackend.enqueued == [{"name": "Ada"}, {"name": "Bob"}]
    assert stored() == 2


@in_process
@pytest.mark.parametrize("backend", [DATABASE, CAREFUL])
def test_a_receiver_that_fails_leaves_nothing(client: Client, backend: str) -> None:
    seen: list[Any] = []

    def fail_for_the_second(**_: Any) -> None:
        seen.append(None)
        if len(seen) == 2:
            raise RuntimeError("no")

    client.raise_request_exception = False
    with default_backend(backend), connected(task_enqueued, fail_for_the_second):
        response = post(client, [HELLO, HELLO, HELLO])

    assert_problem(response, 500, "internal_error")
    assert stored() == 0


@in_process
def test_a_store_that_fails_leaves_nothing(client: Client) -> None:
    client.raise_request_exception = False
    with patch.object(InsertRows, "__call__", side_effect=DatabaseError):
        assert post(client, [HELLO] * 3).status_code == 500
    assert stored() == 0


@in_process
@pytest.mark.parametrize("key", [None, "one"])
@pytest.mark.parametrize(("names", "position"), [(["Ada", "Bob", "Mallory"], 2), (["Mallory"], 0)])
def test_a_rule_of_the_backend_refuses_the_batch_and_points_to_its_task(
    client: Client, key: str | None, names: list[str], position: int
) -> None:
    headers = {"Idempotency-Key": key} if key else None
    with default_backend(CAREFUL):
        response = post(client, [hello(name) for name in names], headers)

    problem = assert_problem(response, 400, "not_supported_by_backend")
    assert pointers(problem) == [f"/tasks/{position}"]
    assert stored() == 0
    assert not models.IdempotencyRecord.objects.exists()


@in_process
def test_a_problem_that_names_no_culprit_refuses_the_batch_too(client: Client) -> None:
    def refuse_bob(item: Any, caller: Any) -> Any:
        if item["kwargs"]["name"] == "Bob":
            raise UnknownTask
        return check_call(item, caller)

    with patch("tasks_api.calls.batch.check_call", refuse_bob):
        response = post(client, [hello("Ada"), hello("Bob")])

    assert pointers(assert_problem(response, 400, "unknown_task")) == ["/tasks/1"]
    assert stored() == 0


@in_process
def test_a_call_may_be_as_deep_in_a_batch_as_by_itself(client: Client) -> None:
    def nested(levels: int) -> Any:
        return json.loads("[" * levels + "]" * levels)

    def call(levels: int) -> dict[str, Any]:
        return {"task": "tests.tasks.give_back", "args": [nested(levels)]}

    def alone(levels: int) -> Any:
        return client.post("/tasks/", json.dumps(call(levels)), content_type="application/json")

    # The call itself and its `args` are two of the 32 levels.
    for levels, status in ((30, 202), (31, 400)):
        assert alone(levels).status_code == post(client, [call(levels)]).status_code == status


@in_process
def test_a_row_is_the_same_whether_it_came_alone_or_in_a_batch(client: Client) -> None:
    calls = [
        {**hello("é\u2028"), "queue_name": "emails", "priority": -7},
        {**hello("Ada"), "run_after": "2100-06-01T12:00:00.5+02:00"},
        {"task": "service.tasks.add", "args": [1, 2, 3]},
        {"task": "tests.tasks.echo", "kwargs": {"a": [1.5, None, {"b": 2**70}], "c": 1e300}},
        {"task": "tests.tasks.tell_attempt"},
    ]
    for one in calls:
        response = client.post("/tasks/", json.dumps(one), content_type="application/json")
        assert response.status_code == 202, response.content
    assert post(client, calls).status_code == 202

    rows = list(DBTaskResult.objects.order_by("id").values())
    for row in rows:
        assert row.pop("id")
        assert row.pop("enqueued_at")
    by_path = sorted(rows, key=lambda row: (row["task_path"], str(row["args_kwargs"])))
    assert by_path[0::2] == by_path[1::2]


@in_process
def test_ids_that_the_database_draws_are_the_backends_business(client: Client) -> None:
    options = {"id_function": f"{__name__}.drawn_by_the_database"}
    tasks = {"default": {**settings.TASKS["default"], "OPTIONS": options}}
    with override_settings(TASKS=tasks):
        tasks_told = post(client, [HELLO, HELLO]).json()["results"]
        alone = client.post("/tasks/", json.dumps(HELLO), content_type="application/json").json()

    rows = {str(key) for key in DBTaskResult.objects.values_list("pk", flat=True)}
    assert {task["id"] for task in [*tasks_told, alone]} == rows
    assert len(rows) == 3


def test_whoever_may_not_enqueue_some_of_it_enqueues_none(service: LiveService) -> None:
    greeter = service.create_client("greeter", "--task=service.tasks.say_*")
    batch = {"tasks": [HELLO, {"task": "service.tasks.add", "args": [1]}]}
    response = service.post("/tasks/batch/", batch, headers=bearer(greeter))

    assert pointers(assert_problem(response, 400, "unknown_task")) == ["/tasks/1/task"]
    assert service.client.get("/tasks/", headers=bearer(greeter)).json()["results"] == []
    reader = service.create_client("batch-reader", "--scope=read")
    response = service.post("/tasks/batch/", {"tasks": [HELLO]}, headers=bearer(reader))
    assert_problem(response, 403, "insufficient_scope")


# Idempotency keys and rates.


@in_process
def test_a_batch_sent_twice_under_one_key_is_enqueued_once(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    calls = [hello(str(number)) for number in range(30)]
    first = post(client, calls, headers)
    DBTaskResult.objects.filter(pk=first.json()["results"][7]["id"]).update(status="RUNNING")
    again = post(client, calls, headers)

    assert "Idempotent-Replayed" not in first.headers
    assert again.status_code == 202
    assert again.headers["Content-Type"] == "application/json"
    assert again.headers["Idempotent-Replayed"] == "true"
    expected = first.json()
    expected["results"][7] |= {"status": "RUNNING"}
    assert json.loads(b"".join(again.streaming_content)) == expected
    assert stored() == 30
    assert_problem(post(client, calls[1:], headers), 422, "idempotency_key_reused")


@in_process
def test_a_refused_batch_does_not_use_its_key_up(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    assert_problem(post(client, [HELLO, {"task": "no"}], headers), 400, "unknown_task")
    assert_problem(post(client, [], headers), 400, "invalid_request")

    assert post(client, [HELLO], headers).status_code == 202
    assert stored() == 1


@in_process
def test_a_replay_leaves_out_what_has_been_removed_since(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    first, second, third = post(client, [HELLO] * 3, headers).json()["results"]
    DBTaskResult.objects.filter(pk=second["id"]).delete()

    def replayed() -> Any:
        return json.loads(b"".join(post(client, [HELLO] * 3, headers).streaming_content))

    assert replayed() == {"results": [first, third]}
    DBTaskResult.objects.all().delete()
    assert replayed() == {"results": []}


@in_process
def test_a_replay_is_read_again_or_told_as_it_was(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    with default_backend(FORGETFUL):
        first = post(client, [hello("Ada"), hello("Bob")], headers).json()
        again = post(client, [hello("Ada"), hello("Bob")], headers)

        assert again.headers["Idempotent-Replayed"] == "true"
        assert json.loads(b"".join(again.streaming_content)) == first


@in_process
def test_a_replay_while_the_store_is_down_is_a_503(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    assert post(client, [HELLO] * 3, headers).status_code == 202

    with patch.object(DatabaseAdapter, "pick", side_effect=OperationalError("gone")):
        response = post(client, [HELLO] * 3, headers)
    assert_problem(response, 503, "store_unavailable")
    assert response.headers["Retry-After"]


@in_process
def test_a_replay_that_breaks_off_is_no_json_and_told_to_the_logs(
    client: Client, caplog: Any
) -> None:
    headers = {"Idempotency-Key": "one"}
    assert post(client, [HELLO] * 3, headers).status_code == 202
    real = DatabaseAdapter.pick

    def break_off(adapter: Any, identifiers: Any) -> Any:
        yield next(real(adapter, identifiers))
        raise OperationalError("gone")

    with patch.object(DatabaseAdapter, "pick", break_off):
        response = post(client, [HELLO] * 3, headers)
        sent = []
        with pytest.raises(OperationalError):
            sent.extend(response.streaming_content)
    assert response.status_code == 202
    with pytest.raises(json.JSONDecodeError):
        json.loads(b"".join(sent))
    assert "/tasks/batch/: the store is unavailable: gone" in caplog.text


@in_process
def test_whoever_waits_for_the_first_checks_its_batch_once(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    real = idempotency._refuse_to_wait_in_the_database
    checked: list[Any] = []
    tries: list[Any] = []

    def refuse_twice(request: Any) -> None:
        tries.append(None)
        if len(tries) < 3:
            raise idempotency._AnotherIsFirst
        real(request)

    def note(item: Any, caller: Any) -> Any:
        checked.append(item)
        return check_call(item, caller)

    with (
        patch.object(idempotency, "_refuse_to_wait_in_the_database", refuse_twice),
        patch("tasks_api.calls.batch.check_call", note),
    ):
        assert post(client, [HELLO] * 5, headers).status_code == 202

    assert len(tries) == 3
    assert len(checked) == 5


def test_of_many_batches_at_once_under_one_key_one_is_enqueued(service: LiveService) -> None:
    threads = 16
    barrier = threading.Barrier(threads)
    calls = {"tasks": [hello(str(number)) for number in range(40)]}

    def send(_: int) -> Any:
        barrier.wait(DEADLINE)
        return service.post("/tasks/batch/", calls, headers={"Idempotency-Key": "batches"})

    with ThreadPoolExecutor(threads) as pool:
        responses = list(pool.map(send, range(threads)))

    assert {response.status_code for response in responses} == {202}
    replays = [r.headers.get("Idempotent-Replayed") == "true" for r in responses]
    assert sorted(replays) == [False] + [True] * (threads - 1)
    told = {tuple(task["id"] for task in r.json()["results"]) for r in responses}
    assert len(told) == 1
    assert len(told.pop()) == 40


@in_process
def test_a_batch_of_n_counts_n(client: Client, tasks_client: models.Client) -> None:
    cache.clear()
    models.Client.objects.update(rate="10/day")

    def remaining(response: Any) -> str:
        return str(response.headers["RateLimit"].partition("r=")[2].partition(";")[0])

    assert remaining(first := post(client, [HELLO] * 7)) == "3"
    assert first.status_code == 202
    refused = post(client, [HELLO] * 5)
    assert_problem(refused, 429, "throttled")
    assert stored() == 7
    assert remaining(post(client, [HELLO])) == "1"
    assert stored() == 8
    cache.clear()


@in_process
def test_a_batch_that_no_window_has_room_for_is_no_matter_of_waiting(
    client: Client, tasks_client: models.Client
) -> None:
    cache.clear()
    models.Client.objects.update(rate="3/day")

    refused = post(client, [HELLO] * 4)
    problem = assert_problem(refused, 400, "invalid_request")
    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [
        ("/tasks", "over_rate")
    ]
    assert "Retry-After" not in refused.headers
    assert post(client, [HELLO] * 2).status_code == 202
    cache.clear()


@in_process
def test_ids_of_a_batch_carry_its_owner(client: Client, tasks_client: models.Client) -> None:
    assert post(client, [HELLO] * 3).status_code == 202

    owners = {ids.owner_of(key) for key in DBTaskResult.objects.values_list("pk", flat=True)}
    assert owners == {tasks_client.number}
