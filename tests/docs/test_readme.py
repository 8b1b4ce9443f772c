"""The front page works as printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.live_service import LiveService

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text()
# A command, then the answer that it is shown with.
EXCHANGES = re.findall(r"```console\n\$ (curl [^`]*)```\n\n```json\n(.*?)```", README, re.DOTALL)
# What differs from run to run; its form is shown all the same.
VOLATILE = (
    "id",
    "url",
    "enqueued_at",
    "started_at",
    "last_attempted_at",
    "finished_at",
    "worker_ids",
    "request_id",
)


def curl(service: LiveService, command: str, *replacements: tuple[str, str]) -> Any:
    for printed, actual in replacements:
        command = command.replace(printed, actual)
    completed = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "TASKS_API_KEY": service.key or ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(completed.stdout)


def stable(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        name: type(value).__name__ if name in VOLATILE and value else value
        for name, value in answer.items()
    }


def test_the_curl_session_works_as_printed(service: LiveService) -> None:
    (enqueue, finished), (wrong, problem) = EXCHANGES
    [read] = re.findall(r"```console\n\$ (curl [^`]*?/tasks/[0-9a-f-]{36}/)\n```", README)
    here = ("http://127.0.0.1:8000", service.url)

    task = curl(service, enqueue, here)
    assert stable(task) == stable(json.loads(finished))

    printed_id = json.loads(finished)["id"]
    assert curl(service, read, here, (printed_id, task["id"])) == task

    assert stable(curl(service, wrong, here)) == stable(json.loads(problem))


def test_the_task_of_the_front_page_receives_what_its_hints_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    module = ModuleType("bakery")
    monkeypatch.setitem(sys.modules, "bakery", module)
    exec(code, vars(module))  # noqa: S102 -- the front page's own code

    result = module.bake.call({"bread": "rye", "loaves": 2}, ready_by="2026-11-22T09:00:00Z")
    assert result == "2 rye, ready by 09:00"


def test_the_links_of_the_documentation_lead_somewhere() -> None:
    root = Path(__file__).resolve().parent.parent.parent
    for page in [root / "README.md", *root.glob("docs/**/*.md"), root / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
