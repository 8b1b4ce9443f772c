"""
The two hot paths in CPU time: `POST /tasks/` and `GET /tasks/{id}/` through the whole of Django.

Ratios alone mean something: to `enqueue()` in process, and to a view of DRF that does nothing.
"""

import io
import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.environment import set_up

BODY = b'{"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}'


def main() -> None:
    """Measure, print a line for each path."""
    with tempfile.TemporaryDirectory() as directory:
        set_up(f"sqlite:///{directory}/db.sqlite3")
        _measure()


def _measure() -> None:
    from django.core.management import call_command  # noqa: PLC0415 -- it needs the settings

    from service.tasks import say_hello  # noqa: PLC0415
    from service.wsgi import application  # noqa: PLC0415
    from tasks_api.clients.keys import issue  # noqa: PLC0415
    from tasks_api.models import Client  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    key = issue(Client.objects.create(name="benchmark")).text

    def request(method: str, path: str, body: bytes = b"") -> bytes:
        response = application(_environ(method, path, body, key), lambda *_: None)
        content = b"".join(response)
        response.close()
        return content

    path = f"/tasks/{json.loads(request('POST', '/tasks/', BODY))['id']}/"
    figures = _interleaved(
        {
            "enqueue() in process": lambda: say_hello.enqueue(name="Ada"),
            "POST /tasks/": lambda: request("POST", "/tasks/", BODY),
            "GET /tasks/{id}/": lambda: request("GET", path),
            "a bare view (GET /livez)": lambda: request("GET", "/livez"),
        }
    )
    enqueue, post, get, bare = figures.values()
    for name, seconds in figures.items():
        print(f"{name:26} {seconds * 1e6:8.0f} µs of CPU")
    print(f"POST: {enqueue / post:.2f} of the rate of enqueue() in process")
    print(f"GET: {bare / get:.2f} of the rate of a bare view")


def _interleaved(
    calls: dict[str, Callable[[], Any]], rounds: int = 7, repeat: int = 150
) -> dict[str, float]:
    """Return the best CPU time of each call, measured in turns so that all meet the same noise."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(repeat):
                call()
            best[name] = min(best[name], (time.process_time() - start) / repeat)
    return best


def _environ(method: str, path: str, body: bytes, key: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:8000",
        "HTTP_ACCEPT": "*/*",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "CONTENT_TYPE": "application/json" if body else "",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }


if __name__ == "__main__":
    main()
