"""
The two hot paths in CPU time, in process, on both databases: the WSGI application, called by one thread.

`python -m benchmarks http`; PostgreSQL is one of its own without `DATABASE_URL`, which names a server
whose user may create databases. Ratios alone mean something: to `enqueue()`, and to a bare view.
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.environment import set_up
from benchmarks.peers.stores import database, postgresql

BODY = b'{"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}'
INSERT = """
INSERT INTO django_tasks_database_dbtaskresult (
    id, status, enqueued_at, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name,
    run_after, exception_class_path, traceback)
VALUES (%s, 'READY', '2026-01-01 00:00:00+00:00', '{"args": [], "kwargs": {"name": "Ada"}}', 0,
    'service.tasks.say_hello', '[]', 'default', 'default', '9999-01-01 00:00:00+00:00', '', '')
"""


def main() -> None:
    """Measure on each database, in a process of its own: each configures Django once."""
    with postgresql() as server, database(*server) as store:
        _in_a_process("PostgreSQL", store.url)
    with tempfile.TemporaryDirectory() as directory:
        _in_a_process("SQLite", f"sqlite:///{directory}/db.sqlite3")


def _in_a_process(name: str, url: str) -> None:
    print(f"\n| {name} | CPU, µs |\n|---|---|", flush=True)
    subprocess.run([sys.executable, "-m", "benchmarks.bench_http", url], check=True)


def _measure(url: str) -> None:
    set_up(url)
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
            "a raw INSERT": _insert,
            "`enqueue()`": lambda: say_hello.enqueue(name="Ada"),
            "`POST /tasks/`": lambda: request("POST", "/tasks/", BODY),
            "`GET /tasks/{id}/`": lambda: request("GET", path),
            "a bare view, `GET /livez`": lambda: request("GET", "/livez"),
        }
    )
    _, enqueue, post, get, bare = figures.values()
    for name, seconds in figures.items():
        print(f"| {name} | {seconds * 1e6:,.0f} |")
    print(f"| POST / `enqueue()` | {post / enqueue:.2f} times |")
    print(f"| GET / a bare view | {get / bare:.2f} times |")


def _insert() -> None:
    from django.db import connection  # noqa: PLC0415
    from django_tasks_db.models import DBTaskResult  # noqa: PLC0415

    from tasks_api.ids import new_task_id  # noqa: PLC0415

    key = DBTaskResult._meta.pk.get_db_prep_value(new_task_id(), connection)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [key])


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
    _measure(*sys.argv[1:]) if sys.argv[1:] else main()
