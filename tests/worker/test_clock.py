"""Whoever starts or ends a task writes the time by one clock: the database's, where it has one."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tasks_api.backends import adapter_for
from tasks_api.models import Worker
from tasks_api.worker import verdicts
from tasks_api.worker.child.claims import Claims
from tasks_api.worker.child.transitions import ready_tasks
from tasks_api.worker.connection import OwnConnection
from tasks_api.worker.lost import Loss, end_lost_worker
from tests.rows import task_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def wrong_clock_of_the_process() -> Iterator[None]:
    """Two hours late; on SQLite, where the database has the clock of its machine, it is right."""
    right_now = timezone.now
    late = timedelta(hours=2 if connection.vendor == "postgresql" else 0)
    with patch.object(timezone, "now", lambda: right_now() - late):
        yield


def store() -> UUID:
    row = task_row()
    row.save()
    return row.pk


@pytest.fixture
def claims() -> Iterator[Claims]:
    """The claims of the worker "a"."""
    Worker.objects.create(worker_id="a", hostname="here", pid=1)
    with closing(OwnConnection("default")) as connection:
        yield Claims(connection, "a", ready_tasks("default", ["*"], []), 30)


def claim(claims: Claims) -> DBTaskResult:
    task = claims.next(may_claim=True)
    assert task is not None
    return task


def assert_in_order(*moments: datetime | None) -> None:
    """Check that these moments lie in this order, and that none lies in the future."""
    known = [moment for moment in moments if moment is not None]
    assert len(known) == len(moments)
    # Real time, which the database's clock shows and the patched one does not.
    now = datetime.now(known[0].tzinfo)
    assert [*known, now] == sorted([*known, now])


def test_a_finished_task(claims: Claims) -> None:
    begun_at = datetime.now(timezone.get_default_timezone())
    key = store()
    claims.finish(claim(claims), verdicts.successful(None, 100), claim_next=False)

    row = DBTaskResult.objects.get(pk=key)
    assert_in_order(begun_at, row.started_at, row.finished_at)


def test_a_task_of_a_lost_worker(claims: Claims) -> None:
    key = store()
    claim(claims)
    announced: list[UUID] = []
    assert end_lost_worker(
        "default", "a", Loss("gone"), announce=lambda _, task: announced.append(task)
    )

    row = DBTaskResult.objects.get(pk=key)
    assert (row.status, announced) == ("FAILED", [key])
    assert_in_order(row.started_at, row.finished_at)


def test_a_cancelled_task() -> None:
    begun_at = datetime.now(timezone.get_default_timezone())
    key = store()
    adapter_for("default").cancel(str(key))

    row = DBTaskResult.objects.get(pk=key)
    assert row.status == "FAILED"
    assert_in_order(begun_at, row.finished_at)
