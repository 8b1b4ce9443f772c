"""
Rows of tasks as a client's would be, by the hundred thousand.

`python -m benchmarks.filling CLIENT TASKS READY`, in the database of `DATABASE_URL`.
"""

import os
import sys

PORTION = 10_000
# Of the rows, oldest first: ten are FAILED and five in another queue, the last are READY.
# Milliseconds whose higher bits are the same in all ids.
START = 1_700_000_000_000 >> 20 << 20
FILL = """
INSERT INTO django_tasks_database_dbtaskresult (
    id, status, enqueued_at, started_at, finished_at, args_kwargs, priority, task_path, worker_ids,
    queue_name, backend_name, run_after, return_value, exception_class_path, traceback)
WITH RECURSIVE numbers (i) AS (SELECT %s UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < %s)
SELECT
    {id},
    CASE WHEN i < 10 THEN 'FAILED' WHEN i >= %s THEN 'READY' ELSE 'SUCCESSFUL' END,
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


def fill(owner: int, first: int, end: int, *, ready: int) -> None:
    """Store tasks `first` to `end`, the last of them READY; those that were READY are no longer."""
    from django.db import connection  # noqa: PLC0415 -- it needs the settings
    from django_tasks_db.models import DBTaskResult  # noqa: PLC0415

    from tasks_api.ids import task_id  # noqa: PLC0415

    DBTaskResult.objects.ready().update(status="SUCCESSFUL")
    prefix = task_id(owner, START, 0).hex[:16]
    with connection.cursor() as cursor:
        statement = FILL.format(**EXPRESSIONS[connection.vendor])
        # Not all in one transaction: statistics that are made meanwhile would count none of it.
        for start in range(first, end, PORTION):
            portion_end = min(start + PORTION, end)
            cursor.execute(statement, [start, portion_end, prefix, end - ready])


def analyze() -> None:
    """Let the database count anew."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def main(client: str, tasks: str, ready: str) -> None:
    """Fill the database for the client of that name."""
    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    django.setup()
    from tasks_api.models import Client  # noqa: PLC0415

    fill(Client.objects.get(name=client).number, 0, int(tasks), ready=int(ready))
    analyze()


if __name__ == "__main__":
    main(*sys.argv[1:])
