"""The guide to retries, time limits and cancelling works as printed."""

import json
import re
from pathlib import Path
from typing import Any

from tasks_api import exceptions
from tasks_api.policies import NEVER, ONLY_WHERE_NAMED, Policy
from tests.conftest import StartService
from tests.docs.test_guides import DOCS, blocks, files
from tests.docs.test_readme import curl
from tests.live_service import LiveService, wait_until

PAGE = "attempts.md"
# What differs from run to run; its form is shown all the same.
VOLATILE = {
    "cancel_requested_at",
    "expires_at",
    "failed_at",
    "finished_at",
    "last_attempted_at",
    "started_at",
    "traceback",
    "worker_id",
}


def rows() -> dict[str, str]:
    """Return the second column of the page's tables by the names in the first, where first in the page."""
    found: dict[str, str] = {}
    for line in (DOCS / PAGE).read_text().splitlines():
        if line.startswith("| `"):
            names, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            for name in re.findall(r"`(\S+?)`", names):
                found.setdefault(name, cells[0])
    return found


def stable(value: Any) -> Any:
    if isinstance(value, list):
        return [stable(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: type(one).__name__ if name in VOLATILE else stable(one) for name, one in value.items()
    }


def assert_tells(task: dict[str, Any], printed: str) -> None:
    """Compare the printed members of a task with those that it has."""
    shown = json.loads(printed)
    assert stable({name: task[name] for name in shown}) == stable(shown)


def test_the_tasks_of_the_guide_are_tried_again_and_stopped_as_it_says(
    start_service: StartService, tmp_path: Path
) -> None:
    for name, code in files(PAGE).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    [export] = blocks(PAGE, "sh")
    policy, retried, cancelled = blocks(PAGE, "json")
    ask, cancel = blocks(PAGE, "console")
    service = start_service(
        {
            "PYTHONPATH": str(tmp_path),
            "TASK_APPS": "bakery",
            "TASKS_API_TASKS": "bakery.tasks.*",
            "POLICIES": export.removeprefix("export POLICIES='").rstrip("'\n"),
        }
    )
    here = ("http://127.0.0.1:8000", service.url)

    described = service.get("/task-types/bakery.tasks.order_flour/").json()
    assert described["policy"] == json.loads(policy)

    assert_tells(curl(service, ask.removeprefix("$ "), here), retried)

    for call, line in (
        ({"task": "bakery.tasks.bake", "kwargs": {"loaves": 100}}, "The oven is off."),
        ({"task": "bakery.tasks.prove", "kwargs": {"hours": 8}}, "The dough is in the fridge."),
    ):
        identifier = service.post("/tasks/", call).json()["id"]
        wait_until_running(service, identifier)
        task = curl(service, cancel.removeprefix("$ "), here, ("$ID", identifier))
        assert_tells(task, cancelled)
        assert line in service.log()


def wait_until_running(service: LiveService, identifier: str) -> None:
    def is_running() -> bool:
        return bool(service.get(f"/tasks/{identifier}/").json()["status"] == "RUNNING")

    wait_until(is_running, what="begin of the task")


def test_the_defaults_of_the_guide_are_those_of_a_policy() -> None:
    told = rows()
    default = Policy()

    assert int(told["max_attempts"]) == default.max_attempts
    keys = {key: float(told[f"backoff.{key}"]) for key in ("initial", "factor", "max", "jitter")}
    assert keys == default.backoff.model_dump()
    assert float(told["stop_grace_seconds"]) == default.stop_grace_seconds
    assert (told["retry_on"], default.retry_on) == ("whatever the task raises", None)
    assert (told["timeout_seconds"], default.timeout_seconds) == ("no limit", None)


def test_the_guide_names_each_way_in_which_the_worker_ends_an_attempt() -> None:
    [never] = re.findall(r"^Nothing follows (.*?)\. ", (DOCS / PAGE).read_text(), re.MULTILINE)

    told = {getattr(exceptions, name, None) for name in rows()} - {None}
    assert {one.class_path() for one in told} == ONLY_WHERE_NAMED
    assert {f"tasks_api.exceptions.{one}" for one in re.findall(r"`(Task\w+)`", never)} == NEVER
