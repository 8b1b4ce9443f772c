"""The guides work as printed: their code is taken out of them and run."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from django.core.checks import run_checks
from django.db import connections
from django.tasks import task_backends
from django.test import Client, override_settings

from tasks_api.arguments import Arguments
from tasks_api.problems import InvalidArguments
from tests.conftest import running
from tests.live_project import LiveProject
from tests.live_run import RunCommand
from tests.live_service import PROJECT, LiveService, bearer, wait_until
from tests.task_backends import IMMEDIATE

DOCS = PROJECT / "docs"
ON_POSTGRESQL = "on PostgreSQL"
"""What a block of settings begins with that are of no use on SQLite."""


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page that are in a language."""
    text = (DOCS / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def files(page: str) -> dict[str, str]:
    """Return the Python files of a page; the first line of each block says which one it is part of."""
    found: dict[str, str] = {}
    for block in blocks(page, "python"):
        name, _, code = block.removeprefix("# ").partition("\n")
        if name == ON_POSTGRESQL:
            continue
        assert name.endswith(".py"), block
        found[name] = found.get(name, "") + code
    return found


def body_of(command: str) -> str:
    """Return what a printed curl line sends."""
    words = shlex.split(command.removeprefix("$ "))
    return words[words.index("-d") + 1]


@pytest.mark.sqlite
def test_a_directory_with_tasks_is_served_as_the_guide_says(
    run: RunCommand, tmp_path: Path
) -> None:
    for name, code in files("your-own-tasks.md").items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    command, curl = blocks("your-own-tasks.md", "console")
    make, target, tasks = shlex.split(command.removeprefix("$ "))
    assert (make, target) == ("make", "run")
    running = run([f"--tasks={tmp_path / tasks.removeprefix('TASKS=../')}"])
    url = f"http://127.0.0.1:{running.port}/tasks/"
    headers = {**bearer(running.key()), "Content-Type": "application/json"}

    response = httpx.post(url, content=body_of(curl).encode(), headers=headers, trust_env=False)
    assert response.status_code == 202, response.text

    def finished() -> Any:
        task = running.get(response.headers["Location"]).json()
        return task if task["is_finished"] else None

    printed = re.search(r'`"return_value": "(.*?)"`', (DOCS / "your-own-tasks.md").read_text())
    assert printed
    assert wait_until(finished, what="end of the task")["return_value"] == printed[1]
    call = {"task": "bakery.tasks.bake", "kwargs": {"loaves": "12"}}
    assert httpx.post(url, json=call, headers=headers, trust_env=False).status_code == 400


def test_the_typed_task_of_the_guide_receives_what_its_hints_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bakery").mkdir()
    for name, code in files("your-own-tasks.md").items():
        (tmp_path / name).write_text(code)
    page = (DOCS / "your-own-tasks.md").read_text()
    [sent] = re.findall(r"A client sends `({.*?})`", page)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        take_order = import_module("bakery.tasks").take_order
        counter = import_module("bakery.counter")
    finally:
        for name in ("bakery", "bakery.tasks", "bakery.counter"):
            sys.modules.pop(name, None)

    with override_settings(TASKS={"default": {"BACKEND": IMMEDIATE}}):
        returned = take_order.enqueue(**json.loads(sent)).return_value
        ordered = counter.order_rye().return_value
    receipt = {"order": {"bread": "rye", "loaves": 2}, "ready_at": "2026-11-22T09:20:00Z"}
    assert returned == receipt
    assert ordered["order"] == receipt["order"]
    too_many = json.loads(sent.replace("2}", "101}"))
    with pytest.raises(InvalidArguments) as refused:
        Arguments.of(take_order).check([], too_many)
    assert [fault.pointer for fault in refused.value.faults] == ["/kwargs/order/loaves"]


def test_make_passes_the_directory_on() -> None:
    shown = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "--dry-run",
            "run",
            "TASKS=../the bakery",
            "ARGS=--port=8001",
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    last = shown.stdout.splitlines()[-1]

    assert shlex.split(last)[-5:] == [
        "-m",
        "service",
        "run",
        "--tasks=../the bakery",
        "--port=8001",
    ]


# Whatever the database.
@pytest.mark.sqlite
def test_the_check_of_the_deployment_guide_passes_with_the_variables_that_it_names() -> None:
    (commands,) = [
        block for block in blocks("deployment.md", "console") if "check --deploy" in block
    ]
    lines = [line.removeprefix("$ ") for line in commands.splitlines()]
    exports = [line for line in lines if line.startswith("export ")]
    (check,) = [line for line in lines if "check --deploy" in line]
    python = ".venv/bin/python -m service "
    assert check.startswith(python)
    script = "\n".join([*exports, 'export DATABASE_URL="$TESTED_ON"', f"exec {check}"])

    checked = subprocess.run(
        ["bash", "-e", "-c", script.replace(python, f"{shlex.quote(sys.executable)} -m service ")],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "TESTED_ON": os.environ["DATABASE_URL"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


class Bakery(LiveProject):
    """The project of the guide."""

    wsgi = "mysite.wsgi"


# As `startproject` makes it, the project is on SQLite.
@pytest.mark.sqlite
def test_a_project_built_by_the_guide_serves_its_tasks(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    env = {"DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONPATH": str(site)}
    with closing(LiveProject("", directory=tmp_path)) as django:
        del django.environment["DJANGO_SETTINGS_MODULE"]
        django.manage("startproject", "mysite", str(site))
        (site / "bakery").mkdir()
        django.manage("startapp", "bakery", str(site / "bakery"))
    for name, code in files("django-project.md").items():
        file = site / name
        # The settings are added to what `startproject` has written.
        file.write_text(file.read_text() + code if name.endswith("settings.py") else code)
    (tmp_path / "files").rmdir()
    project = Bakery("", directory=tmp_path, env=env)
    _, commands, curl = blocks("django-project.md", "console")
    keys = []
    for command in commands.splitlines():
        _, manage, *arguments = shlex.split(command.removeprefix("$ "))
        assert manage == "manage.py"
        if arguments[0] not in {"runserver", "worker"}:
            output = project.manage(*arguments).stdout
            if arguments[0] == "create_client":
                keys.append(output.strip())
    project.key, operations = keys

    with running(project):
        response = project.post("/api/tasks/", content=body_of(curl).encode())
        assert project.wait_for(response.headers["Location"])["return_value"] == "3 loaves baked"
        assert_views_enqueue(project, operations)
        assert project.get("/nothing/").headers["Content-Type"].startswith("text/html")


def assert_views_enqueue(project: LiveProject, operations: str) -> None:
    form = {"name": "ada", "email": "ada@example.org"}
    identifier = httpx.post(f"{project.url}/register/", data=form, trust_env=False).json()["task"]
    url = f"/api/tasks/{identifier}/"
    assert project.get(url).status_code == 404

    def greeted() -> Any:
        task = project.get(url, headers=bearer(operations)).json()
        return task if task["is_finished"] else None

    # Whether a mail goes out depends on the machine.
    assert wait_until(greeted, what="welcome")["task"] == "bakery.tasks.send_welcome_email"
    for loaves, status in ((5, 200), (500, 500)):
        answer = httpx.post(f"{project.url}/checkout/", data={"loaves": loaves}, trust_env=False)
        assert answer.status_code == status
    query = "client=project&task=bakery.tasks.bake"
    listed = project.get(f"/api/tasks/?{query}", headers=bearer(operations)).json()["results"]
    assert [task["args"] for task in listed] == [[5]]


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_project_connects_with_the_settings_of_the_guide() -> None:
    (block,) = (one for one in blocks("django-project.md", "python") if ON_POSTGRESQL in one)
    database = connections["default"]
    configured = {**database.settings_dict, "CONN_MAX_AGE": 0}
    names: dict[str, Any] = {"DATABASES": {"default": configured}}
    exec(block, names)  # noqa: S102 -- the guide's own code

    wrapper = type(database)(names["DATABASES"]["default"], alias="as_the_guide_says")
    try:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
            assert isinstance(wrapper.connection, names["BoundedConnection"])
    finally:
        wrapper.close()
        wrapper.close_pool()


def settings_of(page: str) -> list[dict[str, Any]]:
    """Return each value of TASKS that a page shows."""
    found: list[dict[str, Any]] = []
    for block in blocks(page, "python"):
        if block.startswith("TASKS = "):
            names: dict[str, Any] = {}
            exec(block, names)  # noqa: S102 -- the guide's own code
            found.append(names["TASKS"])
    return found


ROWS = [
    (cells[0].strip("`"), [int(cell) for cell in cells[1:4]])
    for line in (DOCS / "choosing-a-backend.md").read_text().splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5
    and cells[1].isdigit()
]


def test_the_guide_tells_of_four_backends() -> None:
    assert len(ROWS) == 4


# What the guide leaves open: any backend that keeps results and picks its own ids.
STAND_INS = {"your.own.Backend": "tests.project.file_backend.FileBackend"}


@pytest.mark.parametrize(("path", "statuses"), ROWS)
def test_a_backend_answers_as_the_guide_says(
    client: Client, tmp_path: Path, path: str, statuses: list[int]
) -> None:
    printed = [one["default"] for one in settings_of("choosing-a-backend.md")]
    third_party = {"BACKEND": STAND_INS.get(path, path), "OPTIONS": {"directory": str(tmp_path)}}
    chosen = next((one for one in printed if one["BACKEND"] == path), third_party)
    call = {"task": "service.tasks.add", "args": [1, 2]}
    with override_settings(TASKS={"default": chosen}):
        enqueued = client.post("/tasks/", call, content_type="application/json")
        answers = [enqueued, client.get(enqueued.json()["url"]), client.get("/tasks/")]

    assert [answer.status_code for answer in answers] == statuses


# Checks of models ask the database what it can, once in a process.
@pytest.mark.django_db
def test_the_settings_of_several_backends_take_the_task_of_the_guide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (several,) = [one for one in settings_of("choosing-a-backend.md") if len(one) == 2]
    (code,) = [one for one in blocks("choosing-a-backend.md", "python") if "@task" in one]
    module = ModuleType("quotes")
    monkeypatch.setitem(sys.modules, "quotes", module)
    with override_settings(TASKS=several):
        exec(code, vars(module))  # noqa: S102 -- the guide's own code
        assert module.quote.enqueue(2).return_value == 700
        assert set(task_backends.settings) == {"default", "at_once"}
        assert [message for message in run_checks() if message.is_serious()] == []


def test_the_bodies_that_the_reference_shows_are_taken(service: LiveService) -> None:
    bodies = [body for body in blocks("http-api.md", "json") if "…" not in body]
    single, batch = bodies

    for path, body in (("/tasks/", single), ("/tasks/batch/", batch)):
        response = service.post(path, content=body.encode())
        assert response.status_code == 202, response.text


def test_a_browser_reads_a_task_with_the_token_of_the_guide(service: LiveService) -> None:
    creating, using = (block for block in blocks("clients.md", "console") if "$ID" in block)
    assert service.key is not None
    task = service.run_task("service.tasks.add", 1, 2)
    environment = {"PATH": os.environ["PATH"], "TASKS_API_KEY": service.key, "ID": task["id"]}

    def run(command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command.replace("http://127.0.0.1:8000", service.url)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout

    [create] = creating.splitlines()
    made = json.loads(run(create.removeprefix("$ ")))
    [printed] = [json.loads(one) for one in blocks("clients.md", "json")]
    assert made.keys() == printed.keys()
    assert made["token"].startswith(printed["token"].removesuffix("…"))
    environment |= {"TOKEN": made["token"], "TASKS_API_KEY": ""}
    read, watched = (run(line.removeprefix("$ ")) for line in using.splitlines())

    assert json.loads(read) == {**task, "args": []}
    assert json.loads(watched.partition("data: ")[2].partition("\n")[0]) == json.loads(read)
    assert "event: end" in watched
