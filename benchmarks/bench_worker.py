"""
Our worker beside stock `db_worker`: throughput on tasks that do nothing, and latency when idle.

The latency is what a client sees: from its `POST /tasks/` to the answer that says finished.

`python -m benchmarks.bench_worker`, with `DATABASE_URL` naming a database that may be filled.
Rounds of both are interleaved; only the ratios mean anything.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import django
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.stock_settings")
os.environ.setdefault("SECRET_KEY", "only-for-benchmarks-which-keep-nothing")
os.environ.setdefault("LOG_LEVEL", "WARNING")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.models import Max, Min  # noqa: E402
from django_tasks_db.models import DBTaskResult, get_date_max  # noqa: E402

from benchmarks.serving import served  # noqa: E402
from benchmarks.worker_commands import OURS, STOCK  # noqa: E402
from service.tasks import process_order  # noqa: E402
from tasks_api.clients.keys import issue  # noqa: E402
from tasks_api.ids import new_task_id  # noqa: E402
from tasks_api.models import Client  # noqa: E402

WAIT_SECONDS = 120
WARM_UPS = 5
PAUSE_SECONDS = 1


def fill(count: int) -> None:
    """Store tasks as `enqueue()` would, but quickly."""
    DBTaskResult.objects.bulk_create(
        DBTaskResult(
            id=new_task_id(),
            args_kwargs={"args": [number], "kwargs": {}},
            task_path=process_order.module_path,
            queue_name=process_order.queue_name,
            backend_name=process_order.backend,
            run_after=get_date_max(),
        )
        for number in range(count)
    )


@contextmanager
def worker(*arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "django", *arguments, "--skip-checks"]
    # The lines are written as in production, and nobody reads them.
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def tasks_per_second(count: int, *arguments: str) -> float:
    """Measure in the database, from the first task's start to the last one's end."""
    DBTaskResult.objects.all().delete()
    fill(count)
    with worker(*arguments, "--batch") as process:
        process.wait(WAIT_SECONDS)
    finished = DBTaskResult.objects.successful()
    if finished.count() != count:
        sys.exit(f"{finished.count()} of {count} tasks were run")
    span = finished.aggregate(start=Min("started_at"), end=Max("finished_at"))
    return count / (span["end"] - span["start"]).total_seconds()


def latencies(count: int, *arguments: str) -> list[float]:
    """Enqueue one task at a time over HTTP; return the milliseconds until each was seen finished."""
    DBTaskResult.objects.all().delete()
    client = Client.objects.create(name=f"benchmark-{time.time_ns()}")
    with served(issue(client).text) as http, worker(*arguments):
        # The worker and the web server's threads are warm after the first ones.
        return [_finished_after(http) for _ in range(count + WARM_UPS)][WARM_UPS:]


def _finished_after(http: httpx.Client) -> float:
    started = time.monotonic()
    answer = http.post("/tasks/", json={"task": process_order.module_path, "args": [1]})
    url = answer.raise_for_status().json()["url"]
    while not http.get(url).json()["is_finished"]:
        if time.monotonic() - started > WAIT_SECONDS:
            sys.exit("A task was not run")
        time.sleep(0.001)
    seconds = time.monotonic() - started
    time.sleep(max(0, PAUSE_SECONDS - seconds))
    return seconds * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latencies", type=int, default=20)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    stock, ours = [], []
    for _ in range(options.rounds):
        stock.append(tasks_per_second(options.tasks, *STOCK))
        ours.append(tasks_per_second(options.tasks, *OURS))
    ratio = statistics.median(ours) / statistics.median(stock)
    print(f"stock db_worker, CONN_MAX_AGE=600  {statistics.median(stock):8.0f} tasks/s")
    print(f"worker, one process                {statistics.median(ours):8.0f} tasks/s")
    print(f"worker / stock                     {ratio:8.2f}  (reach 3)")
    measured = latencies(options.latencies, *OURS)
    print(f"HTTP enqueue to finished, median   {statistics.median(measured):8.1f} ms  (reach 40)")
    print(f"HTTP enqueue to finished, worst    {max(measured):8.1f} ms")


if __name__ == "__main__":
    main()
