"""`GET /queues/`: what waits and what runs, for administrators."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tasks_api.backends.database.adapter import DatabaseAdapter
from tasks_api.monitoring import shared
from tasks_api.monitoring.queues import forget_figures, queues
from tasks_api.monitoring.shared import Shared
from tests.conftest import StartService
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, bearer, wait_until
from tests.rows import task_row
from tests.task_backends import KEEPING

EMPTY = {"ready": 0, "deferred": 0, "running": 0, "oldest_ready_age_seconds": None}
DATABASE = settings.TASKS["default"]

in_process = pytest.mark.django_db(transaction=True)


def store(*, number: int = 1, age: float = 0, **columns: Any) -> None:
    """Store tasks as they were `age` seconds after they were enqueued."""
    rows = [task_row(**columns) for _ in range(number)]
    DBTaskResult.objects.bulk_create(rows)
    enqueued_at = timezone.now() - timedelta(seconds=age)
    DBTaskResult.objects.filter(pk__in=[row.pk for row in rows]).update(enqueued_at=enqueued_at)


def listed(client: Client) -> dict[tuple[str, str], dict[str, Any]]:
    response = client.get("/queues/")
    assert response.status_code == 200, response.content
    results = response.json()["results"]
    assert list(response.json()) == ["results"]
    assert results == sorted(results, key=lambda queue: (queue["name"], queue["backend"]))
    return {(queue.pop("backend"), queue.pop("name")): queue for queue in results}


# What is counted.


@in_process
def test_every_queue_of_the_settings_is_there_without_a_task(admin: Client) -> None:
    found = listed(admin)

    assert {("default", name) for name in DATABASE["QUEUES"]} <= set(found)
    assert all(figures == EMPTY for figures in found.values())


@in_process
def test_ready_deferred_and_running_tasks_are_told_apart(admin: Client) -> None:
    now = timezone.now()
    store(number=3, age=40)
    store(run_after=now - timedelta(seconds=20), age=60)
    store(number=2, run_after=now + timedelta(hours=1), age=500)
    store(number=4, status="RUNNING", age=900)
    for status in ("SUCCESSFUL", "FAILED"):
        store(status=status, finished_at=now, age=1000)
    store(queue_name="emails", run_after=now + timedelta(hours=1), age=70)
    store(queue_name="reports", status="RUNNING")
    found = listed(admin)

    default = found["default", "default"]
    assert (default["ready"], default["deferred"], default["running"]) == (4, 2, 4)
    assert 40 <= default["oldest_ready_age_seconds"] < 40 + DEADLINE
    assert found["default", "emails"] == {**EMPTY, "deferred": 1}
    assert found["default", "reports"] == {**EMPTY, "running": 1}


@in_process
def test_a_deferred_task_is_as_old_as_its_moment_is_past(admin: Client) -> None:
    now = timezone.now()
    store(run_after=now - timedelta(seconds=300), age=1000)
    store(queue_name="emails", run_after=now - timedelta(seconds=1000), age=300)
    found = listed(admin)

    for name in ("default", "emails"):
        assert 300 <= found["default", name]["oldest_ready_age_seconds"] < 300 + DEADLINE


@in_process
def test_a_task_from_a_machine_whose_clock_is_ahead_has_no_negative_age(admin: Client) -> None:
    store(age=-3600)

    assert listed(admin)["default", "default"]["oldest_ready_age_seconds"] == 0


@in_process
def test_queues_of_tasks_and_of_task_types_are_there_too(admin: Client) -> None:
    # One more alias of the same store, which takes any queue.
    tasks = {"default": {**DATABASE, "QUEUES": []}, "more": {**DATABASE, "QUEUES": ["default"]}}
    with override_settings(TASKS=tasks):
        store(queue_name="ad hoc")
        store(queue_name="done", status="SUCCESSFUL", finished_at=timezone.now())
        store(backend_name="more", queue_name="default", number=2)
        store(backend_name="nobody's")
        found = listed(admin)

    # `service.tasks.send_welcome_email` is for `emails`.
    assert found["default", "emails"] == EMPTY
    assert found["default", "ad hoc"]["ready"] == 1
    assert found["more", "default"]["ready"] == 2
    assert ("default", "done") not in found
    assert {backend for backend, _ in found} == {"default", "more"}


# One queue.


@in_process
def test_one_queue_is_read_by_its_name(admin: Client) -> None:
    store(queue_name="emails", number=2)

    for path in ("/queues/emails/", "/queues/emails", "/queues/emails/?backend=default"):
        queue = admin.get(path).json()
        assert (queue["name"], queue["backend"], queue["ready"]) == ("emails", "default", 2)


@in_process
@pytest.mark.parametrize("path", ["nothing", "emails/x", "emails/?backend=x", "%00", "ä", "%ff"])
def test_a_queue_that_nobody_knows_is_a_404(admin: Client, path: str) -> None:
    assert_problem(admin.get(f"/queues/{path}"), 404, "not_found")


@in_process
def test_of_several_queues_of_one_name_the_backend_says_which(admin: Client) -> None:
    with override_settings(TASKS={"default": DATABASE, "more": {**DATABASE, "QUEUES": ["emails"]}}):
        store(backend_name="more", queue_name="emails")
        problem = assert_problem(admin.get("/queues/emails/"), 400, "invalid_request")
        (fault,) = problem["errors"]
        ready = {
            alias: admin.get(f"/queues/emails/?backend={alias}").json()["ready"]
            for alias in ("default", "more")
        }

    assert fault["parameter"] == "backend"
    assert "default, more" in fault["detail"]
    assert ready == {"default": 0, "more": 1}


@in_process
def test_other_parameters_are_refused(admin: Client) -> None:
    for path in ("/queues/?backend=default", "/queues/emails/?x=1", "/workers/?x=1"):
        assert_problem(admin.get(path), 400, "invalid_request")


NAMES = ["a/b", "a/", "/a", "a b", "ä", "?", "#", "a%2Fb", "%", "100%", ";", "+", "\\", "'"]


def test_every_name_has_a_url(start_service: StartService) -> None:
    service = start_service({"TASKS_QUEUES": "a/b"}, worker=False)
    key = bearer(service.create_client("operations", "--scope=admin"))
    # From the settings, with a slash that is spelled in either way.
    for path in ("/queues/a/b/", "/queues/a/b", "/queues/a%2Fb/", "/queues/a%2fb"):
        assert service.get(path, headers=key).json() == {
            "name": "a/b",
            "backend": "default",
            **EMPTY,
        }


@in_process
@pytest.mark.parametrize("name", NAMES)
def test_whatever_its_name_is_a_queue_can_be_read(admin: Client, name: str) -> None:
    with override_settings(TASKS={"default": {**DATABASE, "QUEUES": []}}):
        store(queue_name=name)
        response = admin.get(f"/queues/{quote(name, safe='')}/")

    assert (response.status_code, response.json()["name"]) == (200, name)


# Who may ask, and which backends can tell.


@in_process
@pytest.mark.parametrize("path", ["/queues/", "/queues/default/", "/queues/x/", "/workers/"])
def test_only_admins_may_ask(client: Client, path: str) -> None:
    response = client.get(path)

    assert_problem(response, 403, "insufficient_scope")
    assert 'scope="admin"' in response.headers["WWW-Authenticate"]
    assert_problem(Client().get(path), 401, "not_authenticated")


@in_process
def test_the_root_names_both_for_everybody(client: Client) -> None:
    root = client.get("/").json()

    assert root["queues"] == "http://testserver/queues/"
    assert root["workers"] == "http://testserver/workers/"


@in_process
@pytest.mark.parametrize("path", ["/queues/", "/queues/default/", "/workers/"])
@pytest.mark.parametrize(
    "backend",
    [
        "django.tasks.backends.immediate.ImmediateBackend",
        "django.tasks.backends.dummy.DummyBackend",
        KEEPING,
    ],
)
def test_a_backend_that_cannot_tell_says_so(admin: Client, backend: str, path: str) -> None:
    with override_settings(TASKS={"default": {**DATABASE, "BACKEND": backend}}):
        assert_problem(admin.get(path), 501, "queues_not_supported")


@in_process
def test_of_several_backends_those_that_cannot_tell_are_left_out(admin: Client) -> None:
    dummy = {"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": ["default"]}
    with override_settings(TASKS={"never": dummy, "default": DATABASE}):
        assert {backend for backend, _ in listed(admin)} == {"default"}
        assert admin.get("/workers/").json() == {"results": []}


@in_process
def test_another_kind_of_database_says_so(admin: Client) -> None:
    with patch.object(connection, "vendor", "mysql"):
        assert_problem(admin.get("/queues/"), 501, "queues_not_supported")


# What it costs.


@in_process
def test_the_figures_are_three_selects_for_all_requests_of_some_seconds(admin: Client) -> None:
    store(number=2)
    with CaptureQueriesContext(connection) as queries:
        first = listed(admin)
    kinds = [query["sql"].split()[0] for query in queries.captured_queries]

    assert kinds == ["SELECT"] * 3
    store()
    with CaptureQueriesContext(connection) as queries:
        assert listed(admin) == first
        assert admin.get("/queues/default/").json()["ready"] == 2
    assert not queries.captured_queries
    forget_figures()
    assert listed(admin)["default", "default"]["ready"] == 3


@pytest.fixture
def clock() -> Iterator[list[float]]:
    """The time that shared values go by, in a list of one."""
    now = [1000.0]
    with patch.object(shared, "time", SimpleNamespace(monotonic=lambda: now[0])):
        yield now


@pytest.mark.parametrize(("cost", "lasts"), [(0.1, 5), (2.0, 20)])
def test_a_value_is_shared_for_a_while_that_grows_with_its_cost(
    clock: list[float], cost: float, lasts: float
) -> None:
    computed: list[int] = []

    def compute() -> int:
        clock[0] += cost
        computed.append(len(computed))
        return computed[-1]

    value = Shared(compute)
    assert value.get() == 0
    clock[0] += lasts - 0.01
    assert value.get() == 0
    clock[0] += 0.02
    assert value.get() == 1


def test_one_thread_computes_while_the_others_are_given_the_last_value(clock: list[float]) -> None:
    may_end, has_begun = threading.Event(), threading.Event()
    computed: list[int] = []

    def compute() -> int:
        computed.append(len(computed))
        if computed[-1]:
            has_begun.set()
            assert may_end.wait(DEADLINE)
        return computed[-1]

    value = Shared(compute)
    assert value.get() == 0
    clock[0] += 100
    slow = threading.Thread(target=value.get)
    slow.start()
    assert has_begun.wait(DEADLINE)
    assert [value.get() for _ in range(3)] == [0, 0, 0]
    may_end.set()
    slow.join(DEADLINE)
    assert value.get() == 1
    assert len(computed) == 2


def test_without_a_value_threads_wait_for_one_that_computes() -> None:
    barrier = threading.Barrier(5)
    computed: list[None] = []

    def compute() -> int:
        computed.append(None)
        return len(computed)

    value = Shared(compute)
    found: list[int] = []

    def ask() -> None:
        barrier.wait(DEADLINE)
        found.append(value.get())

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert found == [1] * 5


@in_process
def test_a_database_that_fails_is_asked_again_the_next_time(admin: Client) -> None:
    with patch.object(DatabaseAdapter, "count_queues", side_effect=OperationalError("gone")):
        assert_problem(admin.get("/queues/"), 503, "store_unavailable")

    assert queues()


@in_process
def test_no_statement_reads_finished_tasks(admin: Client) -> None:
    store(number=2000, status="SUCCESSFUL", finished_at=timezone.now())
    store(number=3)
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        listed(admin)

    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {DBTaskResult._meta.db_table}")
        for sql, params in statements[1:]:
            cursor.execute(f"{explain} {sql}", params)
            plan = str(cursor.fetchall())
            assert "status" in plan
            assert "Index" in plan or "SEARCH" in plan, plan


def test_a_real_worker_empties_the_queue(start_service: StartService) -> None:
    service = start_service(worker=False)
    key = bearer(service.create_client("operations", "--scope=admin"))
    for seconds in (0, 60):
        call = {"task": "service.tasks.sleep", "kwargs": {"seconds": seconds}}
        assert service.post("/tasks/", call).status_code == 202

    def figures() -> tuple[int, int]:
        queue = service.get("/queues/default/", headers=key).json()
        return queue["ready"], queue["running"]

    wait_until(lambda: figures() == (2, 0), what="queue of two")
    service.start_worker()
    wait_until(lambda: figures() == (0, 1), what="queue that is empty")
    service.stop_web()
    assert service.worker is not None
    # Twice: without waiting for the task.
    service.worker.terminate()
    wait_until(lambda: "a second signal" in service.log(), what="first signal")
    service.worker.terminate()
