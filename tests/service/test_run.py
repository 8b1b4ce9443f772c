"""`python -m service run` as its user sees it: what it prints, how it stops, what it refuses."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from service.announcement import announcement
from service.database import make_secret_key_file, secret_key_file
from service.demo_key import DemoKey
from tests.live_run import STOPPED_WITHIN, RunCommand, paste, refusal
from tests.live_service import PROJECT, wait_until


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_printed_line_works_when_pasted_and_ctrl_c_stops_everything(run: RunCommand) -> None:
    # The lines work whatever hosts the service has in production.
    running = run(ALLOWED_HOSTS="tasks.example")
    [enqueue_and_wait] = running.curl_lines()

    task = paste(enqueue_and_wait)

    assert (task["task"], task["return_value"]) == ("service.tasks.say_hello", "Hello, Ada!")
    assert running.get(task["url"]).json() == task

    os.killpg(running.process.pid, signal.SIGINT)

    assert running.exit_status() == 0, running.output()


@pytest.mark.sqlite
def test_sigterm_stops_everything_in_time_while_a_task_runs(run: RunCommand) -> None:
    running = run()
    url = running.enqueue("service.tasks.sleep", seconds=600)
    wait_until(lambda: running.get(url).json()["status"] == "RUNNING", what="start of the task")

    running.process.terminate()

    assert running.exit_status() == 0, running.output()


@pytest.mark.sqlite
def test_ctrl_c_stops_everything_while_it_starts(run: RunCommand) -> None:
    running = run(until_ready=False)
    wait_until(lambda: running.has_started("service.wsgi"), what="first process")

    os.killpg(running.process.pid, signal.SIGINT)

    assert running.exit_status() == 0, running.output()


@pytest.mark.sqlite
def test_a_process_that_does_not_react_is_killed(run: RunCommand) -> None:
    running = run()
    running.child("service.wsgi").suspend()
    running.child("service", "worker").suspend()

    running.process.terminate()

    assert running.exit_status() == 1, running.output()


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("words", "end"),
    [
        pytest.param(["service.wsgi"], psutil.Process.terminate, id="web, with status 0"),
        pytest.param(["service", "worker"], psutil.Process.kill, id="worker, by a signal"),
    ],
)
def test_when_one_process_ends_unasked_all_end_with_status_1(
    run: RunCommand, words: list[str], end: Callable[[psutil.Process], None]
) -> None:
    running = run()

    end(running.child(*words))

    assert running.exit_status() == 1, running.output()


@pytest.mark.sqlite
def test_nothing_lives_on_when_the_command_itself_is_killed(run: RunCommand) -> None:
    running = run()

    running.process.kill()

    wait_until(lambda: not running.processes(), what="end of the processes")


@pytest.mark.sqlite
@pytest.mark.parametrize(("log_format", "info"), [("console", " INFO "), ("json", '"INFO"')])
def test_each_line_of_output_has_the_name_of_its_process_and_one_time(
    run: RunCommand, log_format: str, info: str
) -> None:
    running = run(LOG_FORMAT=log_format)

    for name in ("web", "worker"):
        lines = wait_until(
            partial(running.lines_with, f"{name:6} | ", info), what=f"log line of {name}"
        )
        assert [line for line in lines if len(re.findall(r"\d\d:\d\d:\d\d", line)) != 1] == []


@pytest.mark.sqlite
def test_all_ends_when_nobody_reads_the_output_any_more(run: RunCommand) -> None:
    read_end, write_end = os.pipe()
    running = run(until_ready=False, stdout=write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as output:
        assert output.readline()

    assert running.exit_status() != 0


@pytest.mark.sqlite
def test_a_backend_that_runs_tasks_at_once_gets_no_worker(run: RunCommand) -> None:
    running = run(TASKS_BACKEND="immediate")

    assert len(running.curl_lines()) == 1
    assert not [process for process in running.processes() if "worker" in process.cmdline()]


@pytest.mark.sqlite
def test_a_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        lines = refusal(f"--port={port}", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}")

    assert lines == [
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. Set PORT to use another port."
    ]


@pytest.mark.postgres
@pytest.mark.parametrize("there_is", ["no server", "no database"])
def test_a_database_that_is_not_there_is_reported_in_one_line(there_is: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = {
            "no server": f"postgres://somebody@127.0.0.1:{unused.getsockname()[1]}/tasks",
            "no database": f"{os.environ['DATABASE_URL']}_of_nobody",
        }[there_is]
        (line,) = refusal(DATABASE_URL=url)

    assert line.startswith("The database cannot be used: connection failed: ")
    assert not list(PROJECT.glob(".demo_key.*_of_nobody"))
    assert not (PROJECT / ".demo_key.tasks").exists()


@pytest.mark.sqlite
def test_a_directory_that_is_not_there_is_reported_in_one_line(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'missing' / 'db.sqlite3'}"

    (with_key,) = refusal(DATABASE_URL=database_url)
    (without_key,) = refusal(DATABASE_URL=database_url, SECRET_KEY="")

    assert with_key == "The database cannot be used: unable to open database file"
    assert without_key.endswith(
        "/missing/.secret_key cannot be written: No such file or directory."
    )


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("environment", "start_of_line"),
    [
        ({"PORT": "eighty"}, "PORT must be a whole number, 1 to 65535, not 'eighty'."),
        ({"PORT": "0"}, "PORT must be a whole number, 1 to 65535, not 0."),
        ({"WEB_THREADS": "-1"}, "WEB_THREADS must be a whole number"),
        ({"WEB_CONCURRENCY": "many"}, "WEB_CONCURRENCY must be a whole number"),
        ({"DATABASE_URL": "mysql://host/name"}, "DATABASE_URL must begin with sqlite:/// or "),
        ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL must name a file"),
        ({"DATABASE_URL": "postgres://host:port/name"}, "DATABASE_URL is not a valid database URL"),
        ({"DEBUG": "maybe"}, "DEBUG must be on or off, not 'maybe'."),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be "),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be "),
        ({"TASK_APPS": "shop_of_nobody"}, "TASK_APPS names an app that is not installed: No "),
        ({"TASKS_BACKEND": "fast"}, "TASKS_BACKEND must be one of "),
        ({"TASKS_BACKEND": "shop_of_nobody.Backend"}, "The tasks module service.tasks cannot "),
    ],
    ids=str,
)
def test_an_invalid_setting_is_reported_in_one_line(
    environment: dict[str, str], start_of_line: str, tmp_path: Path
) -> None:
    defaults = {"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"}

    (line,) = refusal(**defaults | environment)

    assert line.startswith(start_of_line)


@pytest.mark.sqlite
def test_a_task_that_cannot_be_served_is_reported_in_one_line(tmp_path: Path) -> None:
    app = tmp_path / "shop_with_a_fault"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "tasks.py").write_text(
        "from django.tasks import task\n@task\ndef refund(*, self: int) -> None: ...\n"
    )

    (line,) = refusal(
        DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}",
        PYTHONPATH=str(tmp_path),
        TASK_APPS="shop_with_a_fault",
        TASKS_API_TASKS="shop_with_a_fault.*",
    )

    assert line.startswith("tasks_api.E001: The task shop_with_a_fault.tasks.refund cannot be ")


@pytest.mark.sqlite
def test_other_machines_are_let_in_with_a_key(run: RunCommand) -> None:
    running = run(arguments=["--host=0.0.0.0"])
    url = f"http://127.0.0.1:{running.port}/task-types/"

    assert running.get(url).status_code == 200
    assert httpx.get(url).status_code == 401
    document = httpx.get(f"http://127.0.0.1:{running.port}/openapi.json").json()
    assert "SayHelloRequest" in document["components"]["schemas"]


@pytest.mark.sqlite
def test_runs_that_start_at_once_share_a_database_and_one_key_for_a_day(
    run: RunCommand, new_database_url: Callable[[], str]
) -> None:
    database_url = new_database_url()
    runs = [run(DATABASE_URL=database_url, until_ready=False) for _ in range(2)]
    for one in runs:
        one.wait_until_ready()
    first, second = runs
    key = first.key()

    assert second.key() == key
    client = first.get(f"http://127.0.0.1:{second.port}/client/").json()
    assert client["name"] == "demo"
    remaining = datetime.fromisoformat(client["key_expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < remaining <= timedelta(hours=24)
    assert f"The key is valid until {client['key_expires_at'][:10]} " in first.output()
    (file,) = Path(database_url.removeprefix("sqlite:///")).parent.glob(".demo_key.*")
    assert (file.read_text().strip(), file.stat().st_mode & 0o777) == (key, 0o600)

    second.process.terminate()
    # Both have this database: `exit_status` would wait for the processes of the first one too.
    assert second.process.wait(STOPPED_WITHIN) == 0
    third = run(DATABASE_URL=database_url)
    assert third.key() == key
    assert first.get(f"http://127.0.0.1:{first.port}/client/").status_code == 200


@pytest.mark.sqlite
def test_an_invalid_host_is_reported_in_one_line(tmp_path: Path) -> None:
    (line,) = refusal("--host=no host", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}")

    assert line == "HOST 'no host' is not an address of this machine."


@pytest.mark.sqlite
def test_without_a_secret_key_one_is_made_that_other_commands_read(run: RunCommand) -> None:
    running = run(SECRET_KEY="")
    database_file = Path(running.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    key_file = database_file.with_name(".secret_key")

    assert key_file.stat().st_mode & 0o777 == 0o600
    assert len(key_file.read_text().strip()) > 50
    command = [sys.executable, "-m", "service", "check"]
    checked = subprocess.run(command, cwd=PROJECT, env=running.environment, check=False)
    assert checked.returncode == 0


@pytest.mark.sqlite
def test_a_secret_key_stays_what_it_is(tmp_path: Path) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}

    make_secret_key_file(database)
    first = secret_key_file(database).read_text()
    make_secret_key_file(database)

    assert secret_key_file(database).read_text() == first
    assert os.listdir(tmp_path) == [".secret_key"]


def test_where_no_task_is_exposed_the_printed_line_lists_task_types() -> None:
    key = DemoKey("tk_example", datetime(2026, 11, 22, 9, tzinfo=UTC))

    lines = announcement("http://127.0.0.1:8000", key, None, [], waits=True).splitlines()

    (curl,) = [line for line in lines if line.startswith("curl ")]
    assert curl.endswith("'Authorization: Bearer tk_example' http://127.0.0.1:8000/task-types/")
