"""`prune`: what has expired is removed, and nothing else."""

import io
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tasks_api.backends.database import clock
from tasks_api.ids import new_task_id
from tasks_api.models import IdempotencyRecord, TaskOwner, TaskRun, Worker
from tasks_api.retention import pruning
from tasks_api.retention.pruning import LARGEST_BATCH, SMALLEST_BATCH, prune
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE
from tests.rows import task_row

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
REMOVES_TASKS = 'DELETE FROM "django_tasks_database_dbtaskresult"'
REST = {
    "Removed rate counts": 0,
    "Removed idempotency records": 1,
    "Removed owners of tasks": 0,
}
"""What the command prints where it removes no tasks, but one record."""


def retained(**given: Any) -> Any:
    return override_settings(TASKS_API={**settings.TASKS_API, **given})


def ago(days: float) -> datetime:
    return timezone.now() - days * DAY


def store(*, number: int = 1, **columns: Any) -> list[str]:
    rows = [task_row(**{"status": "SUCCESSFUL", **columns}) for _ in range(number)]
    DBTaskResult.objects.bulk_create(rows)
    return [str(row.pk) for row in rows]


def stored() -> set[str]:
    return {str(key) for key in DBTaskResult.objects.values_list("pk", flat=True)}


def run(*arguments: str) -> dict[str, int]:
    """Run the command and return the numbers that it prints."""
    output = io.StringIO()
    call_command("prune", *arguments, stdout=output)
    lines = [line.rsplit(": ", 1) for line in output.getvalue().splitlines()]
    return {name: int(number) for name, number in lines}


def never(seconds: float) -> bool:
    """Do not rest, and do not stop."""
    return False


# What goes, and what stays.


def test_finished_tasks_go_after_14_days() -> None:
    for status in ("SUCCESSFUL", "FAILED"):
        store(status=status, finished_at=ago(14.01))
    kept = [
        *store(finished_at=ago(13.99)),
        *store(status="FAILED", finished_at=ago(13.99)),
        *store(status="SUCCESSFUL", finished_at=None),
    ]

    assert run()["Removed SUCCESSFUL and FAILED tasks"] == 2
    assert stored() == set(kept)


@pytest.mark.parametrize("status", ["READY", "RUNNING"])
@pytest.mark.parametrize("finished_at", [None, ago(100)])
@pytest.mark.parametrize("failed", [None, 3])
def test_an_unfinished_task_stays_however_old_it_is(
    status: str, finished_at: datetime | None, failed: int | None
) -> None:
    kept = store(status=status, finished_at=finished_at, started_at=ago(100))
    DBTaskResult.objects.update(enqueued_at=ago(100))
    with retained(RETENTION_DAYS=1, RETENTION_DAYS_FAILED=failed):
        run()

    assert stored() == set(kept)


@pytest.mark.parametrize(
    ("days", "failed", "left"),
    [
        (7, None, {("SUCCESSFUL", 5), ("FAILED", 5)}),
        (7, 20, {("SUCCESSFUL", 5), ("FAILED", 5), ("FAILED", 10)}),
        (20, 7, {("SUCCESSFUL", 5), ("SUCCESSFUL", 10), ("FAILED", 5)}),
        (7, 0, {("SUCCESSFUL", 5), ("FAILED", 5), ("FAILED", 10), ("FAILED", 30)}),
        (0, 7, {("SUCCESSFUL", 5), ("SUCCESSFUL", 10), ("SUCCESSFUL", 30), ("FAILED", 5)}),
        (0, None, {(status, age) for status in ("SUCCESSFUL", "FAILED") for age in (5, 10, 30)}),
    ],
)
def test_the_settings_say_how_long(
    days: int, failed: int | None, left: set[tuple[str, int]]
) -> None:
    ids = {}
    for status in ("SUCCESSFUL", "FAILED"):
        for age in (5, 10, 30):
            (ids[status, age],) = store(status=status, finished_at=ago(age))
    with retained(RETENTION_DAYS=days, RETENTION_DAYS_FAILED=failed):
        run()

    assert stored() == {ids[key] for key in left}


def test_a_dry_run_counts_and_removes_nothing() -> None:
    store(number=3, finished_at=ago(20))
    IdempotencyRecord.objects.create(client_number=1, key="k", created_at=ago(2))
    TaskOwner.objects.create(backend="gone", task_id="x", client_number=1)
    TaskOwner.objects.update(created_at=ago(20))
    TaskRun.objects.create(task_id=new_task_id())
    expected = {
        "SUCCESSFUL and FAILED tasks": 3,
        "attempts of removed tasks": 1,
        "rate counts": 0,
        "idempotency records": 1,
        "rows of dead workers": 0,
        "owners of tasks": 1,
    }

    for _ in range(2):
        assert run("--dry-run") == {f"Would remove {kind}": n for kind, n in expected.items()}
    assert run() == {f"Removed {kind}": n for kind, n in expected.items()}
    assert run() == {f"Removed {kind}": 0 for kind in expected}


def test_idempotency_records_go_after_24_hours() -> None:
    for key, days in {"old": 1.001, "new": 0.999}.items():
        IdempotencyRecord.objects.create(client_number=1, key=key, created_at=ago(days))
    run()

    assert [record.key for record in IdempotencyRecord.objects.all()] == ["new"]


def test_rows_of_workers_go_a_day_after_they_were_seen_but_not_with_a_task_to_end() -> None:
    running, taken_over, finished = (
        store(status=status, worker_ids=worker_ids)[0]
        for status, worker_ids in (
            ("RUNNING", ["runs"]),
            ("RUNNING", ["lost", "another"]),
            ("SUCCESSFUL", ["done"]),
        )
    )
    tasks = {"runs": running, "lost": taken_over, "done": finished, "idle": None, "late": None}
    for name, task in {**tasks, "removed": new_task_id()}.items():
        Worker.objects.create(worker_id=name, hostname="h", pid=1, current_task=task)
    Worker.objects.update(last_seen_at=ago(1.01))
    Worker.objects.filter(pk="late").update(last_seen_at=ago(0.99))

    assert run()["Removed rows of dead workers"] == 4
    assert set(Worker.objects.values_list("pk", flat=True)) == {"runs", "late"}
    assert len(stored()) == 3


# What is kept of attempts.


def run_of(identifier: str) -> str:
    """Store what is kept of the attempts of a task."""
    errors = [{"attempt": 1, "traceback": "x" * 1000}]
    return str(TaskRun.objects.create(task_id=identifier, errors=errors).pk)


def runs() -> set[str]:
    return {str(key) for key in TaskRun.objects.values_list("pk", flat=True)}


def test_attempts_go_with_their_task_and_stay_with_it() -> None:
    for old in store(number=3, finished_at=ago(20)):
        run_of(old)
    kept = {
        run_of(store(status=status, finished_at=finished_at)[0])
        for status, finished_at in (("READY", None), ("RUNNING", None), ("FAILED", ago(1)))
    }
    removed = run()

    assert removed["Removed SUCCESSFUL and FAILED tasks"] == 3
    assert removed["Removed attempts of removed tasks"] == 0
    assert runs() == kept == stored()


def test_attempts_stay_where_the_removal_of_their_task_fails() -> None:
    (old,) = store(finished_at=ago(20))
    run_of(old)

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(REMOVES_TASKS):
            raise OperationalError("disk full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        prune(never)

    assert runs() == stored() == {old}


def test_attempts_of_tasks_that_were_removed_by_other_means_go_too() -> None:
    ids = store(number=30, status="READY")
    for identifier in ids:
        run_of(identifier)
    DBTaskResult.objects.filter(pk__in=ids[::3]).delete()
    # Also where no task is ever removed.
    with retained(RETENTION_DAYS=0), patch.object(pruning, "FIRST_BATCH", 4):
        assert prune(never)["attempts of removed tasks"] == 10
        assert prune(never)["attempts of removed tasks"] == 0

    assert runs() == stored()


def test_no_statement_that_looks_for_them_reads_more_than_its_batch() -> None:
    TaskRun.objects.bulk_create(TaskRun(task_id=new_task_id()) for _ in range(300))
    with (
        CaptureQueriesContext(connection) as queries,
        patch.object(pruning, "FIRST_BATCH", 50),
        patch.object(pruning, "LARGEST_BATCH", 50),
        patch.object(pruning, "SMALLEST_BATCH", 50),
    ):
        assert prune(never)["attempts of removed tasks"] == 300
    selects = [
        one["sql"]
        for one in queries.captured_queries
        if one["sql"].startswith("SELECT") and TaskRun._meta.db_table in one["sql"]
    ]

    assert len(selects) == 7
    for sql in selects:
        assert sql.endswith("LIMIT 50")
        assert "traceback" not in sql
        assert "errors" not in sql


# Tasks of other stores.


@pytest.mark.parametrize(
    ("task", "stays"),
    [
        (None, False),
        ({"status": "SUCCESSFUL", "finished_at": ago(15)}, False),
        ({"status": "SUCCESSFUL", "finished_at": ago(13)}, True),
        ({"status": "READY"}, True),
    ],
)
def test_an_owner_goes_with_a_task_that_another_store_has_kept_for_long_enough(
    task: dict[str, Any] | None, stays: bool
) -> None:
    # The ledger serves tables of tasks whose ids know no owner, too.
    identifier = store(**task)[0] if task else str(new_task_id())
    TaskOwner.objects.create(backend="default", task_id=identifier, client_number=1)
    TaskOwner.objects.update(created_at=ago(100))
    with override_settings(TASKS={"default": {**settings.TASKS["default"], "OPTIONS": {}}}):
        run()

    assert TaskOwner.objects.exists() is stays


def test_owners_that_stay_are_passed_over_once() -> None:
    ids = store(number=30, status="READY")
    for number, identifier in enumerate(ids):
        TaskOwner.objects.create(
            backend="default" if number % 3 else "gone", task_id=identifier, client_number=1
        )
    TaskOwner.objects.update(created_at=ago(100))
    with (
        override_settings(TASKS={"default": {**settings.TASKS["default"], "OPTIONS": {}}}),
        patch.object(pruning, "FIRST_BATCH", 4),
    ):
        assert prune(never)["owners of tasks"] == 10
        assert prune(never)["owners of tasks"] == 0

    assert TaskOwner.objects.count() == 20


def test_no_owner_is_passed_over_where_many_are_of_one_time() -> None:
    """The order of rows that an update has moved is not that of the page before."""
    ids = store(number=60, status="READY")
    for number, identifier in enumerate(ids):
        TaskOwner.objects.create(
            backend="gone" if number % 2 else "default", task_id=identifier, client_number=1
        )
    TaskOwner.objects.update(created_at=ago(100))
    staying = iter(TaskOwner.objects.filter(backend="default").order_by("-pk"))

    def move_one(seconds: float) -> bool:
        if owner := next(staying, None):
            owner.save()
        return False

    with (
        override_settings(TASKS={"default": {**settings.TASKS["default"], "OPTIONS": {}}}),
        patch.object(pruning, "FIRST_BATCH", 4),
        patch.object(pruning, "LARGEST_BATCH", 4),
        patch.object(pruning, "SMALLEST_BATCH", 4),
    ):
        assert prune(move_one)["owners of tasks"] == 30


@pytest.mark.parametrize(("days", "failed"), [(0, None), (0, 3), (3, 0)])
def test_owners_stay_where_some_tasks_do(days: int, failed: int | None) -> None:
    TaskOwner.objects.create(backend="default", task_id="x", client_number=1)
    TaskOwner.objects.update(created_at=ago(1000))
    with retained(RETENTION_DAYS=days, RETENTION_DAYS_FAILED=failed):
        run()

    assert TaskOwner.objects.exists()


def test_without_a_store_of_ours_the_rest_goes_all_the_same() -> None:
    kept = store(finished_at=ago(100))
    IdempotencyRecord.objects.create(client_number=1, key="k", created_at=ago(2))
    backend = {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}
    with override_settings(TASKS={"default": backend}):
        assert run() == REST

    assert stored() == set(kept)


def test_on_another_kind_of_database_no_task_goes() -> None:
    kept = store(finished_at=ago(100))
    IdempotencyRecord.objects.create(client_number=1, key="k", created_at=ago(2))
    with patch.object(clock, "_QUESTIONS", {}):
        assert run() == REST

    assert stored() == set(kept)


def test_the_process_clock_does_not_matter() -> None:
    kept = store(finished_at=ago(1))
    IdempotencyRecord.objects.create(client_number=1, key="k", created_at=ago(0.5))
    with patch.object(timezone, "now", lambda: datetime(2100, 1, 1, tzinfo=ago(0).tzinfo)):
        run()

    assert stored() == set(kept)
    assert IdempotencyRecord.objects.exists()


# How it goes about it.


class Rests:
    """Notes how long each rest was to be; the clock stands still but for what batches take."""

    def __init__(self, seconds_a_batch: float) -> None:
        self.seconds: list[float] = []
        self._cost = seconds_a_batch
        self._now = 0.0

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return False

    def monotonic(self) -> float:
        self._now += self._cost
        return self._now


def sizes_of_batches(seconds_a_batch: float, number: int) -> tuple[list[int], Rests]:
    store(number=number, finished_at=ago(20))
    rests = Rests(seconds_a_batch)
    sizes: list[int] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(REMOVES_TASKS):
            sizes.append(context["cursor"].rowcount)
        return result

    with (
        patch.object(pruning, "time", rests),
        connection.execute_wrapper(note),
    ):
        prune(rests)
    assert not stored()
    return sizes, rests


def test_batches_grow_while_they_are_quick() -> None:
    sizes, _ = sizes_of_batches(0.001, 4000)

    assert sizes == [50, 100, 200, 400, 800, LARGEST_BATCH, LARGEST_BATCH, 450]


def test_batches_shrink_while_they_are_slow_and_rests_last_longer_than_they() -> None:
    sizes, rests = sizes_of_batches(0.5, 130)

    assert sizes == [50, 25, 12, *[SMALLEST_BATCH] * 4, 3]
    assert rests.seconds == pytest.approx([1.0] * len(rests.seconds))


def test_between_two_batches_no_transaction_is_open() -> None:
    store(number=200, finished_at=ago(20))
    in_transaction: list[bool] = []

    def rest(seconds: float) -> bool:
        in_transaction.append(connection.in_atomic_block)
        return False

    prune(rest)
    assert len(in_transaction) >= 3
    assert not any(in_transaction)


def test_told_to_stop_it_ends_after_the_batch() -> None:
    store(number=200, finished_at=ago(20))

    assert prune(lambda seconds: True) == {"SUCCESSFUL and FAILED tasks": pruning.FIRST_BATCH}
    assert len(stored()) == 200 - pruning.FIRST_BATCH


def test_a_batch_is_a_select_and_a_delete_for_each_table_however_large_it_is() -> None:
    store(number=40, finished_at=ago(20))
    with CaptureQueriesContext(connection) as queries:
        prune(never)
    kinds = [query["sql"].split()[0] for query in queries.captured_queries]
    # What time it is, then the batch.
    assert [kind for kind in kinds if kind != "BEGIN"][:4] == [
        "SELECT",
        "SELECT",
        "DELETE",
        "DELETE",
    ]
    assert not [kind for kind in kinds if kind in {"SAVEPOINT", "RELEASE"}]


@pytest.mark.parametrize("failed", [None, 90])
def test_no_statement_reads_more_than_its_batch(failed: int | None) -> None:
    store(number=2000, finished_at=ago(20))
    store(number=2000, status="FAILED", finished_at=ago(1))
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "dbtaskresult" in sql and sql.startswith("SELECT"):
            statements.append((sql, params))
        return execute(sql, params, many, context)

    with (
        retained(RETENTION_DAYS_FAILED=failed),
        connection.execute_wrapper(note),
        patch.object(pruning, "LARGEST_BATCH", 50),
    ):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {DBTaskResult._meta.db_table}")
        prune(never)

    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        for sql, params in statements[:3]:
            cursor.execute(f"{explain} {sql}", params)
            plan = str(cursor.fetchall())
            assert "tasks_api_finished_at" in plan, plan
            assert "Sort" not in plan, plan
            assert "TEMP B-TREE" not in plan, plan


def in_threads(*functions: Callable[[], Any]) -> None:
    errors: list[BaseException] = []

    def guarded(function: Callable[[], Any]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guarded, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not errors, errors


def test_several_at_once_remove_each_task_once() -> None:
    store(number=1500, finished_at=ago(20))
    kept = store(number=10, finished_at=ago(1))
    removed: list[int] = []
    barrier = threading.Barrier(3)

    def one() -> None:
        barrier.wait(DEADLINE)
        removed.append(prune(never)["SUCCESSFUL and FAILED tasks"])

    in_threads(one, one, one)
    assert sum(removed) + len(stored()) == 1510
    # What one has locked, the others leave to it.
    assert stored() == set(kept)


def test_tasks_are_enqueued_while_it_runs(client: Client) -> None:
    store(number=3000, finished_at=ago(20))
    call = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})
    urls: list[str] = []
    is_pruned = threading.Event()

    def enqueue() -> None:
        while not is_pruned.is_set() or len(urls) < 20:
            response = client.post("/tasks/", call, content_type="application/json")
            assert response.status_code == 202, response.content
            urls.append(response.json()["url"])

    def remove() -> None:
        call_command("prune", stdout=io.StringIO())
        is_pruned.set()

    in_threads(enqueue, remove)
    assert len(stored()) == len(urls)
    assert all(client.get(url).status_code == 200 for url in urls)


@pytest.mark.postgres
def test_a_row_that_somebody_has_locked_is_left_for_the_next_time() -> None:
    locked, _ = store(number=2, finished_at=ago(20))
    with transaction.atomic():
        DBTaskResult.objects.select_for_update().get(pk=locked)
        in_threads(lambda: prune(never))
        assert stored() == {locked}
    prune(never)

    assert stored() == set()


# What clients see of it.


def test_a_pruned_task_is_a_404_and_so_is_its_replay(client: Client) -> None:
    body = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})

    def post() -> Any:
        headers = {"Idempotency-Key": "k"}
        return client.post("/tasks/", body, content_type="application/json", headers=headers)

    url = post().json()["url"]
    DBTaskResult.objects.update(status="SUCCESSFUL", finished_at=ago(20))
    run()

    assert_problem(client.get(url), 404, "not_found")
    replay = post()
    problem = assert_problem(replay, 404, "not_found")
    assert problem["detail"] == "The task of the first request with this key has been removed."
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert not stored()


def test_the_replay_of_a_batch_leaves_pruned_tasks_out(client: Client) -> None:
    hello = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
    body = json.dumps({"tasks": [hello, hello]})

    def post() -> list[str]:
        headers = {"Idempotency-Key": "k"}
        response = client.post(
            "/tasks/batch/", body, content_type="application/json", headers=headers
        )
        assert response.status_code == 202
        return [task["id"] for task in json.loads(b"".join(response))["results"]]

    first, second = post()
    DBTaskResult.objects.filter(pk=first).update(status="FAILED", finished_at=ago(20))
    run()

    assert post() == [second]
