"""How the database finds what a list shows: by one index, in its order, with old statistics and new."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from tasks_api.backends.database.expiry import EXPIRES_AT, HAS_EXPIRED
from tasks_api.backends.database.rows import select_row
from tasks_api.models import TaskRun
from tasks_api.worker.child.claims import TRANSITIONS
from tasks_api.worker.child.transitions import ready_tasks
from tests.http.test_lists import numbers, owners_client, page, row

pytestmark = pytest.mark.django_db(transaction=True)

# Few enough to be stored quickly, enough for a scan of the table to cost more than an index.
TASKS = 4_000
TABLE = DBTaskResult._meta.db_table
PRIMARY_KEY = {"sqlite": "sqlite_autoindex_", "postgresql": "_pkey"}
READ_ANOTHER_WAY = ("Seq Scan", "Sort", "Bitmap", "SCAN ", "TEMP B-TREE")


@pytest.fixture(params=["no statistics", "statistics", "statistics of other times"])
def statistics(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """What the planner knows; nothing else tells it meanwhile."""
    if connection.vendor == "sqlite":
        yield request.param
        if request.param != "no statistics":
            execute("DELETE FROM sqlite_stat1")
            # Which has read them.
            connection.close()
        return
    # Those of earlier tests outlive their rows.
    execute("DELETE FROM pg_statistic WHERE starelid = %s::regclass", [TABLE])
    execute(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = false)")
    yield request.param
    execute(f"ALTER TABLE {TABLE} RESET (autovacuum_enabled)")


@pytest.fixture
def client(statistics: str) -> Client:
    """
    A client with tasks that are all SUCCESSFUL but the five oldest, FAILED, and the ten newest, READY.

    Statistics of other times are from when all were READY.
    """
    client = owners_client()
    rows = [
        row(
            number,
            status="READY",
            queue_name="default" if number % 2 else "emails",
            finished_at=timezone.now() if number < TASKS - 10 else None,
        )
        for number in range(TASKS)
    ]
    DBTaskResult.objects.bulk_create(rows, batch_size=500)
    if statistics == "statistics of other times":
        execute("ANALYZE")
    ids = [one.id for one in rows]
    TaskRun.objects.bulk_create([TaskRun(task_id=one) for one in ids], batch_size=500)
    DBTaskResult.objects.filter(id__lt=ids[-10]).update(status="SUCCESSFUL")
    DBTaskResult.objects.filter(id__lt=ids[5]).update(status="FAILED")
    if statistics == "statistics":
        execute("ANALYZE")
    return client


def execute(statement: str, params: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def plan(statement: str, params: Any = None) -> str:
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    return "\n".join(str(line[-1]) for line in execute(f"{explain} {statement}", params))


def plan_of(rows: QuerySet[Any]) -> str:
    return plan(*rows.query.sql_with_params())


def assert_reads_by(found: str, index: str) -> None:
    assert index in found, found
    assert not [other for other in READ_ANOTHER_WAY if other in found], found


@pytest.mark.parametrize(
    ("query", "index", "expected"),
    [
        ({}, "", [3999, 3998, 3997]),
        ({"status": "SUCCESSFUL"}, "tasks_api_status_id", [3989, 3988, 3987]),
        ({"status": "RUNNING"}, "tasks_api_status_id", []),
        ({"status": "FAILED"}, "tasks_api_status_id", [4, 3, 2]),
        ({"status": ["RUNNING", "READY"]}, "tasks_api_status_id", [3999, 3998, 3997]),
        ({"queue_name": "emails"}, "tasks_api_queue_status_id", [3998, 3996, 3994]),
        ({"queue_name": "reports"}, "tasks_api_queue_status_id", []),
        (
            {"queue_name": "default", "status": ["FAILED", "SUCCESSFUL"]},
            "tasks_api_queue_status_id",
            [3989, 3987, 3985],
        ),
        ({"queue_name": "default", "status": "FAILED"}, "tasks_api_queue_status_id", [3, 1]),
        ({"outcome": "failed"}, "tasks_api_status_id", [4, 3, 2]),
        ({"outcome": ["cancelled", "lost"]}, "tasks_api_status_id", []),
        ({"outcome": "succeeded"}, "tasks_api_status_id", [3989, 3988, 3987]),
        (
            {"outcome": ["succeeded", "failed"], "queue_name": "default"},
            "tasks_api_queue_status_id",
            [3989, 3987, 3985],
        ),
    ],
)
def test_a_page_is_read_by_one_index_in_its_order(
    client: Client, query: dict[str, Any], index: str, expected: list[int]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = page(client, **query, page_size=3)

    assert numbers(answer) == expected
    ranges = [one["sql"] for one in queries.captured_queries if "LIMIT 4" in one["sql"]]
    assert ranges
    for statement in ranges:
        assert_reads_by(plan(statement), index or PRIMARY_KEY[connection.vendor])


def test_what_has_expired_is_found_by_an_index_that_holds_no_other_tasks(client: Client) -> None:
    expired = DBTaskResult.objects.filter(HAS_EXPIRED).order_by(EXPIRES_AT)

    found = plan_of(expired[:100])

    # PostgreSQL may sort the few that it finds there.
    assert "tasks_api_expires_at" in found
    assert "Seq Scan" not in found


def test_a_claim_is_read_by_the_tables_own_index(client: Client, statistics: str) -> None:
    for queues in (["*"], ["default", "emails"], ["emails"]):
        kind = import_string(TRANSITIONS[connection.vendor])
        claim = kind("default", "worker", ready_tasks("default", queues, []))

        found = plan(claim._look, claim._look_params)
        assert "tasks_api_" not in found
        if (connection.vendor, statistics) != ("postgresql", "no statistics"):
            # Knowing nothing, PostgreSQL may take another of the table's own.
            assert "tasks_db_new_ordering_idx" in found, found


def test_a_task_is_read_by_its_key(client: Client) -> None:
    key = DBTaskResult._meta.pk.get_db_prep_value(row(7).pk, connection)

    assert_reads_by(plan(select_row._statement, [key]), PRIMARY_KEY[connection.vendor])


def test_what_finished_long_ago_is_found_by_its_index(client: Client) -> None:
    # Without the status: old statistics would have PostgreSQL look for few, and scan the table.
    old = DBTaskResult.objects.filter(finished_at__lt=timezone.now()).order_by("finished_at")

    assert_reads_by(plan_of(old.values("id")[:100]), "tasks_api_finished_at")
