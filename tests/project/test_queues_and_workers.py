"""Queues and workers of a project that has its own backends and its own time zone."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.project.conftest import StartProject

REGISTER = """
from tasks_api.models import Worker
Worker.objects.create(worker_id="w", hostname="h", pid=1)
"""
SHORT = timedelta(minutes=20)


@pytest.mark.parametrize("use_tz", ["on", "off"])
def test_moments_and_ages_are_right_whatever_the_time_zone(
    start_project: StartProject, use_tz: str
) -> None:
    project = start_project({"USE_TZ": use_tz})
    project.manage("shell", f"--command={REGISTER}")
    (worker,) = project.get("/api/workers/").json()["results"]
    call = {"task": "tests.project.shop.tasks.add", "args": [1, 2]}
    assert project.post("/api/tasks/", call).status_code == 202
    queue = project.get("/api/queues/default/").json()

    assert worker["is_alive"]
    for name in ("started_at", "last_seen_at"):
        assert abs(datetime.now(UTC) - datetime.fromisoformat(worker[name])) < SHORT
    assert queue["backend"] == "default"
    assert queue["ready"] >= 1
    assert queue["oldest_ready_age_seconds"] < SHORT.total_seconds()
    project.manage(
        "shell", "--command=from tasks_api.models import *; Worker.objects.all().delete()"
    )


def test_backends_that_cannot_tell_are_left_out(start_project: StartProject) -> None:
    project = start_project({"FILE_QUEUES": "default,parcels"})
    found = project.get("/api/queues/").json()["results"]

    assert {queue["backend"] for queue in found} == {"default"}
    assert project.get("/api/queues/parcels/").status_code == 404
