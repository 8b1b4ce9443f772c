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

FEW, MANY = 1_000, 1_000_000
PORTION = 10_000
ROUNDS = 25
REACH = 1.5
# Of the rows, oldest first: ten are FAILED and five in another queue, the last fifty are READY.
# Milliseconds whose higher bits are the same in all ids.
START = 1_700_000_000_000 >> 20 << 20
FILL = """
INSERT INTO django_tasks_database_dbtaskresult (
    id, status, enqueued_at, started_at, finished_at, args_kwargs, priority, task_path, worker_ids,
    queue_name, backend_name, run_after, return_value, exception_class_path, traceback)
WITH RECURSIVE numbers (i) AS (SELECT %s UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < %s)
SELECT
    {id},
    CASE WHEN i < 10 THEN 'FAILED' WHEN i >= %s - 50 THEN 'READY' ELSE 'SUCCESSFUL' END,
    {now}, {now}, {now}, '{{"args": [], "kwargs": {{"name": "Ada"}}}}', 0,
    CASE WHEN i < 10 THEN 'service.tasks.fail' ELSE 'service.tasks.say_hello' END, '["worker"]',
    CASE WHEN i < 5 THEN 'reports' WHEN i %% 2 = 0 THEN 'default' ELSE 'emails' END,
    'default', {never}, '"Hello"', '', ''
FROM numbers
"""
# The lower half of an id: the variant, what the time has counted, no random bits.
LOW = "-9223372036854775808 + CAST(i AS bigint) * 4398046511104"
EXPRESSIONS = {
    "postgresql": {
        "id": f"CAST(%s || to_hex({LOW}) AS uuid)",
        "now": "now()",
        "never": "timestamptz '9999-01-01T00:00Z'",
    },
    "sqlite": {
        "id": f"%s || printf('%%016x', {LOW})",
        "now": "'2023-11-14 22:13:20'",
        "never": "'9999-01-01 00:00:00'",
    },
}
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
        _fill(client.number, 0, FEW)
        _analyze()
        few = _milliseconds(key)
        _fill(client.number, FEW, MANY)
        stale = _milliseconds(key)
        _analyze()
        many = _milliseconds(key)
        bounded = _milliseconds(key, ("task=service.tasks.fail",))
    print(f"{'a page of 50':50} {FEW:>7,}   {MANY:>9,}   analyzed  (reach {REACH})")
    for query, before in few.items():
        ratios = f"{stale[query] / before:11.2f} {many[query] / before:10.2f}"
        print(f"?{query:49} {before:5.1f} ms {ratios}")
    (slowest,) = bounded.values()
    print(f"a filter that no index knows, 10,000 rows looked at: {slowest / many['']:.1f} x")


def _fill(owner: int, first: int, end: int) -> None:
    """Store tasks `first` to `end`; those that were READY are no longer."""
    from django.db import connection  # noqa: PLC0415
    from django_tasks_db.models import DBTaskResult  # noqa: PLC0415

    from tasks_api.ids import task_id  # noqa: PLC0415

    DBTaskResult.objects.ready().update(status="SUCCESSFUL")
    prefix = task_id(owner, START, 0).hex[:16]
    with connection.cursor() as cursor:
        statement = FILL.format(**EXPRESSIONS[connection.vendor])
        # Not all in one transaction: statistics that are made meanwhile would count none of it.
        for start in range(first, end, PORTION):
            cursor.execute(statement, [start, min(start + PORTION, end), prefix, end])


def _analyze() -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


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
