"""`make run TASKS=DIRECTORY`: tasks of one's own are found, installed, served and reloaded."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from service.own_tasks import OwnTasks
from tests.live_run import RunCommand, Running, refusal
from tests.live_service import PROJECT, wait_until

pytestmark = pytest.mark.sqlite

TASKS = """
from django.tasks import task

@task
def bake(loaves: int) -> str:
    return f"{loaves} loaves"
"""
WriteFiles = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteFiles:
    """A function that writes files into a directory, whose path it returns."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "given", "names", "roots"),
    [
        (["bakery/tasks.py"], "bakery", ["bakery"], ["."]),
        (["bakery/tasks/__init__.py", "bakery/tasks/bread.py"], "bakery", ["bakery"], ["."]),
        (["site/bakery/tasks.py", "site/shop/tasks.py"], "site", ["bakery", "shop"], ["site"]),
        (["site/src/bakery/tasks.py"], "site", ["bakery"], ["site/src"]),
        (
            [
                "site/bakery/__init__.py",
                "site/bakery/oven/__init__.py",
                "site/bakery/oven/tasks.py",
            ],
            "site",
            ["bakery.oven"],
            ["site"],
        ),
        (
            ["bakery/__init__.py", "bakery/oven/__init__.py", "bakery/oven/tasks.py"],
            "bakery/oven",
            ["bakery.oven"],
            ["."],
        ),
        (
            ["site/bakery/tasks.py", "site/env/pyvenv.cfg", "site/env/lib/other/tasks.py"],
            "site",
            ["bakery"],
            ["site"],
        ),
        (["site/bakery/tasks.py", "site/.git/x/tasks.py"], "site", ["bakery"], ["site"]),
        (["site/bakery/tasks.py", "site/tests/tasks.py"], "site", ["bakery"], ["site"]),
    ],
)
def test_packages_with_tasks_are_found(
    write: WriteFiles, files: list[str], given: str, names: list[str], roots: list[str]
) -> None:
    root = write(dict.fromkeys(files, ""))
    packages = OwnTasks(str(root / given)).packages

    assert [package.name for package in packages] == names
    assert {package.root for package in packages} == {(root / name).resolve() for name in roots}


@pytest.mark.parametrize(
    ("files", "given", "reason"),
    [
        ({}, "missing", "there is no such directory."),
        ({"bakery/tasks.py": TASKS}, "bakery/tasks.py", "it is a file; name its directory, "),
        ({"bakery/bread.py": TASKS}, "bakery", "no module tasks.py is in it; docs/your-own-tasks"),
        ({"my-bakery/tasks.py": TASKS}, "my-bakery", "Python cannot import a package called my-"),
        ({"email/tasks.py": TASKS}, "email", "email is a package in Python itself; give "),
        ({"service/tasks.py": TASKS}, "service", f"service is a package in {PROJECT}/service; "),
        ({"bakery/tasks.py": "x = 1"}, "bakery", "no function in bakery.tasks is decorated with "),
        ({"b/tasks.py": TASKS, "b/pyproject.toml": "["}, "b", "its pyproject.toml cannot be read"),
    ],
    ids=str,
)
def test_a_directory_of_no_use_is_refused_in_one_line(
    write: WriteFiles, files: dict[str, str], given: str, reason: str
) -> None:
    root = write(files)
    path = root / given

    (line,) = refusal(f"--tasks={path}", DATABASE_URL=f"sqlite:///{root / 'db.sqlite3'}")

    assert line.startswith(f"TASKS={path}: {reason}")


def test_a_module_that_cannot_be_imported_is_reported_in_one_line(write: WriteFiles) -> None:
    root = write({"bakery/tasks.py": "import yeast"})

    (line,) = refusal(f"--tasks={root}", DATABASE_URL=f"sqlite:///{root / 'db.sqlite3'}")

    assert line == (
        "The tasks module bakery.tasks cannot be imported: "
        "ModuleNotFoundError: No module named 'yeast'"
    )


def test_tasks_that_the_patterns_of_the_variable_leave_out_are_reported(write: WriteFiles) -> None:
    root = write({"bakery/tasks.py": TASKS})

    (line,) = refusal(
        f"--tasks={root}",
        DATABASE_URL=f"sqlite:///{root / 'db.sqlite3'}",
        TASKS_API_TASKS="service.tasks.*",
    )

    assert line == f"TASKS={root}: TASKS_API_TASKS matches no task of bakery.tasks."


def returned(running: Running, loaves: int) -> Any:
    def finished() -> Any:
        task = running.get(url).json()
        return task if task["is_finished"] else None

    url = running.enqueue("bakery.tasks.bake", loaves=loaves)
    return wait_until(finished, what="end of the task")["return_value"]


def task_types(running: Running) -> set[str]:
    response = running.get(f"http://127.0.0.1:{running.port}/task-types/")
    return {one["name"] for one in response.json()["results"]}


def test_own_tasks_are_served_and_reloaded_and_a_mistake_ends_nothing(
    run: RunCommand, write: WriteFiles
) -> None:
    unwise = "\n@task\ndef scales(weigh: type) -> None: ...\n"
    root = write({"bakery/tasks.py": TASKS + unwise})
    module = root / "bakery" / "tasks.py"
    running = run([f"--tasks={root / 'bakery'}"], TASKS_API_TASKS="bakery.tasks.*")
    assert "    bakery.tasks.bake\n" in running.output()
    # The sample is not exposed, so a task that is stands in its place.
    assert '"task": "bakery.tasks.bake"' in running.curl_lines()[0]
    assert running.output().count("The hint of `weigh`") == 1
    assert returned(running, 3) == "3 loaves"

    module.write_text(TASKS + "\ndef half(:\n")
    wait_until(
        lambda: "tasks.py changed, but is not served yet:" in running.output(), what="refusal"
    )
    assert running.lines_with("run    | The tasks module bakery.tasks cannot be ", "SyntaxError")
    assert "bakery.tasks.bake" in task_types(running)

    module.write_text(
        TASKS.replace(" loaves", " warm loaves") + "\n@task\ndef eat() -> None: ...\n"
    )
    wait_until(lambda: reloaded(running), what="new task type")
    wait_until(lambda: returned(running, 4) == "4 warm loaves", what="new result")
    assert running.lines_with("worker | ", " INFO tasks_api.worker [-] The process of worker ")
    assert not running.lines_with("worker | ", "ended with status 65")
    assert running.process.poll() is None


def reloaded(running: Running) -> bool:
    try:
        return "bakery.tasks.eat" in task_types(running)
    except httpx.TransportError:
        return False


UV = shutil.which("uv") or shutil.which(PROJECT / ".uv" / "bin" / "uv")


def project(name: str, *requirements: str) -> str:
    """Return a pyproject.toml that uv builds without the network."""
    return f"""
[build-system]
requires = ["uv_build>=0.9,<1"]
build-backend = "uv_build"

[project]
name = "{name}"
version = "1"
dependencies = {list(requirements)}
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An environment of the test's own, which sees the packages of ours."""
    venv.create(tmp_path / "environment", symlinks=True)
    (packages,) = (tmp_path / "environment").glob("lib/*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    return str(tmp_path / "environment" / "bin" / "python")


@pytest.mark.skipif(UV is None, reason="there is no uv")
def test_what_a_project_requires_is_installed_and_stays(
    run: RunCommand, write: WriteFiles, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setattr(sys, "executable", python)
    root = write(
        {
            "flour/pyproject.toml": project("flour"),
            "flour/src/flour/__init__.py": "KIND = 'rye'",
            "site/src/bakery/__init__.py": "",
            "site/src/bakery/tasks.py": TASKS.replace("loaves}", "loaves} {flour.KIND}").replace(
                "from django", "import flour\nfrom django"
            ),
        }
    )
    write({"site/pyproject.toml": project("bakery", f"flour @ file://{root / 'flour'}")})

    running = run([f"--tasks={root / 'site'}"])
    assert returned(running, 3) == "3 rye loaves"
    running.process.terminate()
    assert running.exit_status() == 0, running.output()
    installed = subprocess.run([python, "-c", "import bakery, flour"], cwd=root, check=False)
    assert installed.returncode == 0

    write({"site/pyproject.toml": project("bakery", "django<5")})
    first, *rest = refusal(
        f"--tasks={root / 'site'}", DATABASE_URL=f"sqlite:///{root / 'db.sqlite3'}"
    )
    assert first == f"TASKS={root / 'site'}: what it requires cannot be installed:"
    assert "django<5" in " ".join(rest)


def test_make_keeps_packages_that_are_not_in_the_lock() -> None:
    lines = (PROJECT / "Makefile").read_text()
    syncs = re.findall(r"\$\(UV\) sync[^|\n]*", lines)

    assert len(syncs) == 3
    assert all("--inexact" in sync for sync in syncs)


def test_the_directory_of_the_checkout_itself_is_left_out(
    write: WriteFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write({"checkout/service/tasks.py": TASKS, "bakery/tasks.py": TASKS})
    monkeypatch.setattr("service.own_tasks.BASE_DIR", (root / "checkout").resolve())

    assert [package.name for package in OwnTasks(str(root)).packages] == ["bakery"]
    with pytest.raises(ImproperlyConfigured, match="no module"):
        OwnTasks(str(root / "checkout"))
