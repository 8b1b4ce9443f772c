"""`prune` in a project whose time zone is its own, with backends that keep tasks elsewhere."""

import pytest

from tests.live_project import LiveProject
from tests.project.conftest import StartProject

STORE = """
from datetime import timedelta
from django.utils import timezone
from django_tasks_db.models import DBTaskResult, get_date_max
from tasks_api.ids import new_task_id
for minutes in (30, -30):
    row = DBTaskResult.objects.create(
        id=new_task_id(), task_path="tests.project.shop.tasks.add", queue_name="default",
        backend_name="default", run_after=get_date_max(), status="SUCCESSFUL",
        args_kwargs={"args": [], "kwargs": {}},
        finished_at=timezone.now() - timedelta(days=14, minutes=minutes),
    )
    print(row.pk)
"""


@pytest.mark.parametrize("use_tz", ["on", "off"])
def test_14_days_are_14_days_whatever_the_time_zone(
    start_project: StartProject, use_tz: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = start_project({"USE_TZ": use_tz})
    monkeypatch.setitem(project.environment, "RETENTION_DAYS", "14")
    old, young = project.manage("shell", "--verbosity=0", f"--command={STORE}").stdout.split()
    project.manage("prune")

    assert project.get(f"/api/tasks/{old}/").status_code == 404
    assert project.get(f"/api/tasks/{young}/").status_code == 200


def test_a_project_that_says_nothing_keeps_its_finished_tasks(project: LiveProject) -> None:
    old, _ = project.manage("shell", "--verbosity=0", f"--command={STORE}").stdout.split()

    pruned = project.manage("prune")

    assert pruned.stderr == "SUCCESSFUL and FAILED tasks are kept: RETENTION_DAYS is not set.\n"
    url = f"/api/tasks/{old}/"
    assert project.get(url).status_code == 200


def test_the_owner_of_a_task_that_is_kept_elsewhere_stays_until_that_is_gone(
    start_project: StartProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = start_project({"FILE_QUEUES": "default"})
    monkeypatch.setitem(project.environment, "RETENTION_DAYS", "14")
    call = {"task": "tests.project.shop.tasks.add_by_files", "args": [1, 2]}
    task = project.post("/api/tasks/", call).json()
    age = (
        "from tasks_api.models import TaskOwner; TaskOwner.objects.update(created_at='2020-01-01')"
    )
    count = "from tasks_api.models import TaskOwner; print(TaskOwner.objects.count())"

    def owners_left() -> int:
        project.manage("shell", f"--command={age}")
        project.manage("prune")
        return int(project.manage("shell", "--verbosity=0", f"--command={count}").stdout)

    assert owners_left() == 1
    assert project.get(task["url"]).status_code == 200
    project.files.joinpath(task["id"].removeprefix("file:")).unlink()
    assert owners_left() == 0
