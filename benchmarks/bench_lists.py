"""
A page of `GET /tasks/` of a client with 1,000 and with 1,000,000 tasks, through the whole of Django.

`python -m benchmarks lists`, with `DATABASE_URL` naming a database that may be filled, or without for
a SQLite database of its own. The rows are removed afterwards. Only the ratios mean anything: the first
is that of a database which still believes that there are 1,000 rows, the second after ANALYZE.
"""

import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from benchmarks.environment import set_up
from benchmarks.filling import analyze, fill

FEW, MANY, READY = 1_000, 1_000_000, 50
ROUNDS = 25
REACH = 1.5
QUERIES = (
    "",
    "status=SUCCESSFUL",
    "status=RUNNING",
    "status=FAILED",
    "status=READY&status=RUNNING",
    "status=SUCCESSFUL&status=FAILED&status=RUNNING",
    "queue_name=default",
    "queue_name=reports",
    "queue_name=nowhere",
    "queue_name=default&status=SUCCESSFUL",
    "queue_name=default&status=FAILED",
    "queue_name=reports&status=SUCCESSFUL",
)


def main() -> None:
    """Measure with few tasks, then with many, and print the ratio for each query."""
    with tempfile.TemporaryDirectory() as directory:
        set_up(os.environ.get("DATABASE_URL", f"sqlite:///{directory}/db.sqlite3"))
        _measure()


def _measure() -> None:
    import django  # noqa: PLC0415 -- it needs the settings

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from tasks_api.clients.keys import issue  # noqa: PLC0415
    from tasks_api.models import Client  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    client = Client.objects.create(name=f"benchmark-{time.time_ns()}")
    key = issue(client).text
    with _removed_afterwards(client.number):
        fill(client.number, 0, FEW, ready=READY)
        analyze()
        few = _milliseconds(key)
        fill(client.number, FEW, MANY, ready=READY)
        stale = _milliseconds(key)
        analyze()
        many = _milliseconds(key)
        bounded = _milliseconds(key, ("task=service.tasks.fail",))
    print(f"{'a page of 50':50} {FEW:>7,}   {MANY:>9,}   analyzed  (reach {REACH})")
    for query, before in few.items():
        ratios = f"{stale[query] / before:11.2f} {many[query] / before:10.2f}"
        print(f"?{query:49} {before:5.1f} ms {ratios}")
    (slowest,) = bounded.values()
    print(f"a filter that no index knows, 10,000 rows looked at: {slowest / many['']:.1f} x")


@contextmanager
def _removed_afterwards(owner: int) -> Iterator[None]:
    from django_tasks_db.models import DBTaskResult  # noqa: PLC0415

    from tasks_api.ids import task_id  # noqa: PLC0415

    try:
        yield
    finally:
        tasks = DBTaskResult.objects.filter(id__gte=task_id(owner, 0, 0))
        tasks.filter(id__lt=task_id(owner + 1, 0, 0))._raw_delete("default")


def _milliseconds(key: str, queries: tuple[str, ...] = QUERIES) -> dict[str, float]:
    """Return the best time of a page for each query, measured in turns."""
    from service.wsgi import application  # noqa: PLC0415

    def get(query: str) -> None:
        statuses: list[str] = []
        response = application(
            _environ(query, key), lambda status, *_: statuses.append(status) or (lambda _: None)
        )
        b"".join(response)
        response.close()
        if not statuses[0].startswith(str(HTTPStatus.OK.value)):
            raise SystemExit(f"The service answered {statuses[0]}")

    best = dict.fromkeys(queries, float("inf"))
    for _ in range(ROUNDS):
        for query in queries:
            start = time.perf_counter()
            get(query)
            best[query] = min(best[query], (time.perf_counter() - start) * 1000)
    return best


def _environ(query: str, key: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/tasks/",
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:8000",
        "HTTP_ACCEPT": "*/*",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }


if __name__ == "__main__":
    main()
