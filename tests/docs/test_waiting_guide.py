"""The guide to waiting works as printed, behind nginx too."""

import contextlib
import io
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import MigratedDatabase, running, throwaway_database
from tests.docs.test_guides import blocks
from tests.docs.test_readme import curl
from tests.http.test_half_dead_database import LiveASGIService
from tests.live_service import LiveService, wait_until

PAGE = "waiting.md"


def test_the_commands_work_as_printed(service: LiveService) -> None:
    wait, watch = blocks(PAGE, "console")
    here = ("http://127.0.0.1:8000", service.url)

    task = curl(service, wait.removeprefix("$ "), here)
    assert (task["status"], task["return_value"]) == ("SUCCESSFUL", 3)

    command, _, printed = watch.removeprefix("$ ").partition("/events/\n")
    [printed_id] = re.findall(r"/tasks/([^/]+)$", command)
    events = subprocess.run(
        ["bash", "-c", f"{command}/events/".replace(*here).replace(printed_id, task["id"])],
        env={"TASKS_API_KEY": service.key or "", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    # The task is finished already, so that only the last events come.
    assert names_of(events) == names_of(printed)[1:] == ["task", "end"]


def names_of(events: str) -> list[str]:
    return re.findall(r"^event: (.*)$", events, re.MULTILINE)


def test_the_client_in_python_gets_its_result(service: LiveService) -> None:
    client, _ = blocks(PAGE, "python")
    output = io.StringIO()
    names: dict[str, Any] = {"key": service.key}
    with contextlib.redirect_stdout(output):
        exec(client.replace("http://127.0.0.1:8000", service.url), names)  # noqa: S102 -- the guide's own code
    names["client"].close()

    assert output.getvalue() == "3\n"


def test_the_asgi_application_of_a_project_holds_requests() -> None:
    _, code = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 -- the guide's own code

    assert isinstance(names["application"], names["HoldRequests"])


@pytest.fixture
def proxied(
    migrated_database: MigratedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, LiveService, LiveService]]:
    """The URL of nginx, and the services behind it: the threaded one and the one for waiting."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("There is no nginx.")
    directory = tmp_path_factory.mktemp("nginx")
    with (
        throwaway_database(directory, template=migrated_database.url) as url,
        running(service_on(url, directory / "threads", LiveService, migrated_database)) as threads,
        running(
            service_on(url, directory / "asgi", LiveASGIService, migrated_database), worker=False
        ) as waiting,
    ):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        [guide] = blocks(PAGE, "nginx")
        for printed, actual in (
            ("127.0.0.1:8000", f"127.0.0.1:{threads.port}"),
            ("127.0.0.1:8001", f"127.0.0.1:{waiting.port}"),
            ("listen 80;", f"listen 127.0.0.1:{port};"),
        ):
            assert printed in guide
            guide = guide.replace(printed, actual)
        conf = directory / "nginx.conf"
        temporary = "".join(
            f"{kind}_temp_path {directory / kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        conf.write_text(
            f"daemon off; pid {directory / 'pid'}; error_log {directory / 'error.log'};\n"
            f"events {{}}\nhttp {{ access_log {directory / 'access.log'};\n{temporary}{guide} }}\n"
        )
        process = subprocess.Popen([nginx, "-c", str(conf), "-p", str(directory)])
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(base), what="answer of nginx")
            yield base, threads, waiting
        finally:
            process.terminate()
            process.wait(10)


def service_on(
    url: str, directory: Path, kind: type[LiveService], database: MigratedDatabase
) -> LiveService:
    directory.mkdir()
    return kind(url, directory=directory, env={"WEB_CONCURRENCY": "1"}, key=database.key)


def answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/livez", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_nginx_leads_requests_that_wait_to_their_server(
    proxied: tuple[str, LiveService, LiveService],
) -> None:
    base, threads, waiting = proxied
    with httpx.Client(
        base_url=base,
        headers={"Authorization": f"Bearer {threads.key}"},
        trust_env=False,
        timeout=60,
    ) as client:
        call = {"task": "service.tasks.sleep", "kwargs": {"seconds": 1}}
        waited = client.post("/tasks/", json=call, headers={"Prefer": "wait=30"})
        stored = client.post("/tasks/", json=call)
        path = f"/tasks/{stored.json()['id']}/events/"
        with client.stream("GET", path) as response:
            received = response.iter_text()
            first = next(received)
            # The first event comes before the task is finished: nginx keeps nothing back.
            assert json.loads(first.split("data: ")[1])["is_finished"] is False
            rest = "".join(received)

    assert (waited.status_code, waited.json()["return_value"]) == (200, 1.0)
    assert stored.status_code == 202
    assert names_of(rest)[-2:] == ["task", "end"]
    wait_until(lambda: f'"GET {path} ' in waiting.log(), what="line in the log")
    assert '"POST /tasks/ HTTP/1.1" 200 ' in waiting.log()
    assert '"POST /tasks/ HTTP/1.1" 202 ' in threads.log()
