"""What deploys the service: the image, the Compose file, gunicorn's file, the list of settings."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.environment import AllVariables
from service.settings_page import settings_page
from tasks_api.conf import TasksApiSettings
from tests.conftest import StartService
from tests.live_service import PROJECT

pytestmark = pytest.mark.sqlite

SECRETS = {"SECRET_KEY": "0123456789" * 4, "POSTGRES_PASSWORD": "letters"}


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
    return document


def gunicorn(
    *arguments: str, application: str = "service.wsgi", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Let gunicorn read its file and load the service, without serving it."""
    command = [sys.executable, "-m", "gunicorn", "--config=service/gunicorn.conf.py"]
    return subprocess.run(
        [*command, *arguments, application],
        cwd=PROJECT,
        env={
            "PATH": os.defpath,
            "DATABASE_URL": os.environ["DATABASE_URL"],
            "SECRET_KEY": "only-for-tests-which-everybody-may-read",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_dockerfile_passes_the_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    linted = subprocess.run(
        [linter, "Dockerfile"], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert linted.returncode == 0, linted.stdout


def test_what_the_dockerfile_copies_is_there_and_is_let_through() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()

    assert copied
    assert all((PROJECT / source).exists() for source in copied)
    assert {f"!{source}" for source in copied} == {line for line in ignored if line[:1] == "!"}


def test_the_image_runs_an_unprivileged_user_and_no_shell() -> None:
    instructions = (PROJECT / "Dockerfile").read_text().splitlines()
    last_stage = instructions[max(i for i, line in enumerate(instructions) if "FROM" in line) :]

    assert "USER 10001" in last_stage
    assert 'CMD ["gunicorn", "--config", "service/gunicorn.conf.py", "service.wsgi"]' in last_stage


def test_the_image_and_compose_name_commands_that_exist() -> None:
    commands = [
        service["command"] for service in compose()["services"].values() if "command" in service
    ]

    assert commands
    for command in commands:
        assert command[:3] == ["python", "-m", "service"]
        shown = subprocess.run(
            [sys.executable, "-m", "service", command[3], "--help"],
            cwd=PROJECT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "service.settings",
                "SECRET_KEY": "only-for-tests-which-everybody-may-read",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert all(option.partition("=")[0] in shown.stdout for option in command[4:])


def test_compose_asks_for_every_secret_and_holds_none() -> None:
    text = (PROJECT / "compose.yaml").read_text()

    for name in SECRETS:
        values = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert values
        assert all(value.startswith(":?") for value in values)


def test_compose_publishes_on_this_machine_only() -> None:
    published = [
        port for service in compose()["services"].values() for port in service.get("ports", [])
    ]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_compose_migrates_before_web_and_worker_start() -> None:
    services = compose()["services"]

    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("web", "worker"):
        assert (
            services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        )


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode,
    reason="docker has no compose here",
)
def test_compose_itself_accepts_the_file() -> None:
    subprocess.run(
        ["docker", "compose", "config", "--quiet"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], **SECRETS},
        check=True,
    )


def environment_of_the_image() -> dict[str, str]:
    *_, last_stage = (PROJECT / "Dockerfile").read_text().split("FROM ")
    instructions = last_stage.replace("\\\n", " ").splitlines()
    words = [word for line in instructions if line.startswith("ENV ") for word in line.split()[1:]]
    return dict(word.split("=", 1) for word in words)


def environment_of_the_containers() -> dict[str, str]:
    """Return what `docker compose up` sets where nobody sets a variable, secrets aside."""
    set_by_compose = {
        name: re.sub(r"\$\{\w+:[-?]?([^}]*)\}", r"\1", value)
        for name, value in compose()["services"]["web"]["environment"].items()
        # A variable without a value is passed on if it is set.
        if value is not None and name not in {"DATABASE_URL", "SECRET_KEY"}
    }
    of_the_image = environment_of_the_image()
    del of_the_image["PATH"]
    return {**of_the_image, **set_by_compose}


def test_the_containers_expose_no_task_that_sleeps_or_fails_at_will() -> None:
    environment = environment_of_the_containers()

    assert environment["TASKS_API_TASKS"] == "service.tasks.say_hello,service.tasks.add"
    assert "TASKS_API_TASKS" in compose()["services"]["web"]["environment"]


def test_the_first_call_of_the_guide_is_of_a_task_that_the_containers_expose(
    start_service: StartService,
) -> None:
    exposed = {"TASKS_API_TASKS": environment_of_the_containers()["TASKS_API_TASKS"]}
    service = start_service(exposed)
    [body] = re.findall("-d '({.*})'", (PROJECT / "docs/deployment.md").read_text())

    response = service.post("/tasks/", content=body.encode())
    assert response.status_code == 202, response.text
    assert service.wait_for(response.headers["Location"])["status"] == "SUCCESSFUL"
    refused = service.post("/tasks/", {"task": "service.tasks.sleep", "kwargs": {"seconds": 1}})
    assert refused.json()["code"] == "unknown_task"


def test_the_containers_settings_let_gunicorn_start() -> None:
    environment = environment_of_the_containers()

    checked = gunicorn("--check-config", **environment)

    assert checked.returncode == 0, checked.stderr
    assert environment["HOST"] == "0.0.0.0"  # noqa: S104


def test_gunicorn_opens_no_control_socket_and_takes_long_request_lines() -> None:
    printed = gunicorn("--print-config", WEB_THREADS="3", WEB_CONCURRENCY="4", PORT="8123").stdout
    settings = dict(re.findall(r"^(\w+)\s+= (.*)$", printed, re.MULTILINE))

    assert settings["control_socket_disable"] == "True"
    assert settings["limit_request_line"] == "8190"
    assert settings["worker_class"] == "service.gunicorn_worker.worker.ThreadWorker"
    assert (settings["workers"], settings["threads"]) == ("4", "3")
    assert settings["bind"] == "['127.0.0.1:8123']"


def test_gunicorn_loads_the_service_for_its_asgi_worker() -> None:
    checked = gunicorn("--check-config", "--worker-class=asgi", application="service.asgi")

    assert checked.returncode == 0, checked.stderr


def test_gunicorn_reports_an_invalid_setting_in_one_line() -> None:
    refused = gunicorn("--check-config", LOG_FORMAT="xml")

    assert refused.returncode == 1
    assert refused.stderr == "LOG_FORMAT must be console or json, not 'xml'.\n"


def test_the_committed_page_of_settings_is_what_the_declarations_say() -> None:
    assert (PROJECT / "docs/settings.md").read_text() == settings_page(), "Run `make docs`."


def test_the_page_has_a_line_for_each_setting() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|(?: `([A-Z_]+)` \|)?", settings_page(), re.MULTILINE)
    names = {name for row in rows for name in row if name}

    assert names == {*AllVariables.schemas(), *TasksApiSettings.schemas()}
    assert {"SECRET_KEY", "TASKS_API_TASKS", "CLIENT_OF", "RETENTION_DAYS_FAILED"} <= names


def test_every_variable_that_a_module_of_the_service_asks_for_is_declared() -> None:
    sources = "".join(path.read_text() for path in (PROJECT / "service").rglob("*.py"))
    asked_for = re.findall(r'environ(?:\.\w+\(|\[)\s*"([A-Z_]+)"', sources)

    assert set(asked_for) - {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"} <= set(AllVariables.schemas())
