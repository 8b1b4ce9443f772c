"""The real service for tests: gunicorn and a worker as processes of their own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import httpx

PROJECT = Path(__file__).resolve().parent.parent
# What a healthy machine never needs, in seconds.
DEADLINE = 60.0


NO_KEY = {"Authorization": ""}


def bearer(key: str) -> dict[str, str]:
    """Return the headers of a request with this key."""
    return {"Authorization": f"Bearer {key}"}


def wait_until[Value](
    condition: Callable[[], Value], *, what: str, deadline: float = DEADLINE
) -> Value:
    """Return the first truthy value of the condition; fail when there is none in time."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"In {deadline} seconds there was no {what}.")
        time.sleep(0.02)
    return value


class LiveService:
    """
    gunicorn on a free port and a worker, on a database that has its tables.

    Requests carry the key of a client that may do everything; `create_client()` makes others, and
    `headers=NO_KEY` sends none. Paths given to `get()` and `post()` may be whole URLs, such as a task's own.
    """

    management: ClassVar = "service"
    wsgi: ClassVar = "service.wsgi"
    gunicorn_arguments: tuple[str, ...] = ("--config=service/gunicorn.conf.py",)
    prefix: ClassVar = ""
    graceful_seconds = 5

    def __init__(
        self,
        database_url: str,
        *,
        directory: Path,
        env: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> None:
        self.database_url = database_url
        self.key = key
        self.log_file = directory / "service.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "SECRET_KEY": "only-for-tests-which-everybody-may-read",
            "TASK_APPS": "tests",
            "TASKS_API_TASKS": "service.tasks.*,tests.tasks.*",
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            **(env or {}),
        }
        # pytest-django's: it would make these processes take the settings of the tests.
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.web: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        # A connection for each request: none that a restart has closed meanwhile.
        self.client = httpx.Client(
            base_url=self.url,
            timeout=DEADLINE,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )
        self.client.auth = self._sign

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Add the key, where the test has not said otherwise."""
        if self.key is not None and "Authorization" not in request.headers:
            request.headers["Authorization"] = f"Bearer {self.key}"
        elif request.headers.get("Authorization") == "":
            del request.headers["Authorization"]
        return request

    def start(self, *, worker: bool = True) -> Self:
        """Start web and worker, and wait until the service says that it is ready."""
        try:
            if self.key is None:
                self.key = self.create_client("tests")
            self._spawn_web()
            if worker:
                self.start_worker()
            self._wait_until_ready()
        except BaseException as error:
            self.stop()
            error.add_note(f"The service wrote:\n{self.log()[-5000:]}")
            raise
        return self

    def start_web(self) -> None:
        """Start gunicorn and wait until the service says that it is ready."""
        self._spawn_web()
        self._wait_until_ready()

    def start_worker(self) -> None:
        """Start a worker that takes tasks of every queue."""
        self.worker = self._spawn(self.management, "worker", "--queue-name=*", "--interval=0.05")

    def stop_worker(self) -> None:
        """Stop the worker as a deployment does; what it runs it finishes first."""
        _stop(self.worker)
        self.worker = None

    def stop_web(self) -> None:
        """Stop gunicorn as a deployment does."""
        _stop(self.web)
        self.web = None

    def stop(self) -> None:
        """Stop both, as a deployment does."""
        self.stop_web()
        self.stop_worker()

    def close(self) -> None:
        """Stop both for good."""
        self.client.close()
        self.stop()

    def restart(self) -> None:
        """Stop those that run and start them again, on the same port and database."""
        had_worker = self.worker is not None
        self.stop_web()
        self.stop_worker()
        self.start(worker=had_worker)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command of the service; it must succeed."""
        completed = subprocess.run(
            [sys.executable, "-m", self.management, *arguments],
            cwd=PROJECT,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed

    def create_client(self, name: str, *options: str) -> str:
        """Create a client that may do what the options say, else everything but administer."""
        return self.manage("create_client", name, *options).stdout.removesuffix("\n")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send GET."""
        return self.client.get(path, headers=headers)

    def post(
        self,
        path: str,
        json: Any = None,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send POST with a JSON value, or with `content`: bytes, or an iterable sent in chunks."""
        if content is None:
            return self.client.post(path, json=json, headers=headers)
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self.client.post(path, content=content, headers=headers)

    def raw(self, request: bytes) -> bytes:
        """
        Send bytes as they are and return all that comes back until the server closes.

        Send `Connection: close`, or the server keeps the connection for a minute.
        """
        address = urlsplit(self.url)
        with socket.create_connection((address.hostname, address.port), DEADLINE) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def wait_for(self, task_url: str, *, deadline: float = DEADLINE) -> dict[str, Any]:
        """Return the task once it is finished."""

        def finished() -> dict[str, Any] | None:
            response = self.get(task_url)
            assert response.status_code == 200, response.text
            task: dict[str, Any] = response.json()
            return task if task["is_finished"] else None

        task = wait_until(finished, what=f"end of {task_url}", deadline=deadline)
        assert task is not None
        return task

    def run_task(self, task: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Enqueue a task and return it once it is finished."""
        response = self.post(
            f"{self.prefix}/tasks/", {"task": task, "args": args, "kwargs": kwargs}
        )
        assert response.status_code == 202, response.text
        return self.wait_for(response.headers["Location"])

    def log(self) -> str:
        """Return what web and worker have written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _spawn(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                # The terminal's Ctrl-C is pytest's alone.
                start_new_session=True,
            )

    def _spawn_web(self) -> None:
        self.web = self._spawn(
            "gunicorn",
            *self.gunicorn_arguments,
            f"--graceful-timeout={self.graceful_seconds}",
            self.wsgi,
        )

    def _wait_until_ready(self) -> None:
        wait_until(self._is_ready, what="answer of the service")

    def _is_ready(self) -> bool:
        assert self.web is not None
        assert self.web.poll() is None, "The service has stopped."
        try:
            return self.get(f"{self.prefix}/readyz").status_code == 200
        except httpx.TransportError:
            return False


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.terminate()
    try:
        process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
