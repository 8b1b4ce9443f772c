"""`python -m service run` for tests, as its user sees it."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from tests.live_service import DEADLINE, PROJECT, bearer, wait_until

STOPPED_WITHIN = 10
RunCommand = Callable[..., "Running"]


class Running:
    """A `run` on a free port, in a process group of its own as under a terminal."""

    def __init__(
        self,
        directory: Path,
        environment: dict[str, str],
        arguments: Sequence[str],
        stdout: int | None,
    ) -> None:
        self.output_file = directory / "output"
        self.port = free_port()
        self.environment = {**os.environ, **environment}
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "run", f"--port={self.port}", *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdout=output if stdout is None else stdout,
                stderr=output,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.output_file.read_text()

    def wait_until_ready(self) -> None:
        wait_until(self._has_announced, what="curl line")

    def lines_with(self, start: str, text: str) -> list[str]:
        lines = self.output().splitlines()
        return [line for line in lines if line.startswith(start) and text in line]

    def curl_lines(self) -> list[str]:
        return [line for line in self.output().splitlines() if line.startswith("curl ")]

    def child(self, *words: str) -> psutil.Process:
        """Return the process that has these words on its command line and is no child of another."""
        found = [process for process in self.processes() if _has_words(process, words)]
        return next(process for process in found if process.parent() not in found)

    def has_started(self, *words: str) -> bool:
        return any(_has_words(process, words) for process in self.processes())

    def processes(self) -> list[psutil.Process]:
        """Return what lives of all that was started, known by its database."""
        url = self.environment["DATABASE_URL"]
        return [process for process in psutil.process_iter() if _database_of(process) == url]

    def key(self) -> str:
        return re.findall(r"tk_[0-9A-Za-z_]+", self.curl_lines()[0])[0]

    def get(self, url: str) -> httpx.Response:
        return httpx.get(url, headers=bearer(self.key()))

    def enqueue(self, task: str, **kwargs: Any) -> str:
        response = httpx.post(
            f"http://127.0.0.1:{self.port}/tasks/",
            json={"task": task, "kwargs": kwargs},
            headers=bearer(self.key()),
        )
        assert response.status_code == 202, response.text
        return response.headers["Location"]

    def exit_status(self) -> int:
        """Return the status of a `run` that must end in time, and all that it started with it."""
        status = self.process.wait(STOPPED_WITHIN)
        wait_until(lambda: not self.processes(), what="end of all", deadline=5)
        return status

    def close(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        # Beside a SQLite database it goes with the directory; that of PostgreSQL is in the checkout.
        name = urlsplit(self.environment["DATABASE_URL"]).path.removeprefix("/")
        if "/" not in name:
            (PROJECT / f".demo_key.{name}").unlink(missing_ok=True)

    def _has_announced(self) -> bool:
        assert self.process.poll() is None, self.output()
        return bool(self.curl_lines())


def _has_words(process: psutil.Process, words: Sequence[str]) -> bool:
    try:
        return set(words) <= set(process.cmdline())
    except psutil.Error:
        return False


def _database_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("DATABASE_URL")
    except psutil.Error:
        # Not ours, or dead.
        return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def refusal(*arguments: str, **environment: str) -> list[str]:
    """Run the command, which must not start; return the lines it says why."""
    defaults = {"SECRET_KEY": "only-for-tests-which-everybody-may-read", "PORT": str(free_port())}
    completed = subprocess.run(
        [sys.executable, "-m", "service", "run", *arguments],
        cwd=PROJECT,
        env={
            key: value
            for key, value in {**os.environ, **defaults, **environment}.items()
            if key != "DJANGO_SETTINGS_MODULE"
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert completed.returncode == 1, completed
    assert all("| Installing " in line for line in completed.stdout.splitlines())
    return completed.stderr.splitlines()


def paste(line: str) -> dict[str, Any]:
    completed = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    task: dict[str, Any] = json.loads(completed.stdout)
    return task
