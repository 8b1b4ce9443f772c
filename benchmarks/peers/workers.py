"""
Our worker beside stock db_worker, Celery's prefork and RQ's pool, with as many processes each.

The task does nothing. The same number is enqueued before each worker starts; measured is from the
first one that is seen finished to the last. Databases and Redis write to the disk.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from redis import Redis

from benchmarks.peers.figures import spread
from benchmarks.peers.machine import machine
from benchmarks.peers.servers import PROJECT, cpu_seconds, running, stop_all_when_terminated
from benchmarks.peers.stores import TABLE, database, postgresql, redis
from benchmarks.worker_commands import OURS, STOCK

PYTHON = sys.executable
POLL_SECONDS = 0.05
WAIT_SECONDS = 300
FINISHED = f"SELECT count(*) FROM {TABLE} WHERE status = 'SUCCESSFUL'"  # noqa: S608
FILL_DATABASE = "from benchmarks.bench_worker import fill; fill({tasks})"
FILL_CELERY = """
from benchmarks.peers.celery_app import say_hello
for _ in range({tasks}):
    say_hello.delay("Ada")
"""
FILL_RQ = """
import os
from redis import Redis
from rq import Queue
from benchmarks.peers.tasks import say_hello
queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))
for _ in range({tasks}):
    queue.enqueue(say_hello, "Ada")
"""


@dataclass(kw_only=True)
class Contender:
    """Commands that run tasks, what enqueues them, and how many are finished."""

    name: str
    commands: Sequence[Sequence[str]]
    environment: dict[str, str]
    fill: str
    finished: Callable[[], int]
    empty: Callable[[], object]
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, tasks: int) -> None:
        """Enqueue tasks, run them all, and keep the figures."""
        self.empty()
        command = [PYTHON, "-c", self.fill.format(tasks=tasks)]
        environment = {**os.environ, **self.environment}
        subprocess.run(command, cwd=PROJECT, env=environment, check=True)
        with ExitStack() as stack:
            workers = [
                stack.enter_context(running(command, self.environment)) for command in self.commands
            ]
            pids = [worker.pid for worker in workers]
            done = self._wait_for_more_than(0)
            start, cpu = time.perf_counter(), sum(map(cpu_seconds, pids))
            self._wait_for_more_than(tasks - 1)
            seconds = time.perf_counter() - start
            cpu = sum(map(cpu_seconds, pids)) - cpu
        self.rates.append((tasks - done) / seconds)
        self.cpu.append(cpu / (tasks - done) * 1e6)

    def _wait_for_more_than(self, number: int) -> int:
        deadline = time.monotonic() + WAIT_SECONDS
        while (finished := self.finished()) <= number:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} has run {finished} tasks and no more")
            time.sleep(POLL_SECONDS)
        return finished


def main() -> None:
    """Measure in turns, and print a table in Markdown."""
    options = _options()
    stop_all_when_terminated()
    with ExitStack() as stack:
        contenders = [
            *stack.enter_context(_on_postgresql(options.processes)),
            *stack.enter_context(_on_sqlite(options.processes)),
            *stack.enter_context(_celery(options.processes)),
            *stack.enter_context(_rq(options.processes)),
        ]
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for contender in contenders[:: -1 if number % 2 else 1]:
                contender.measure(options.tasks)
    print("\n".join(machine(peers=True)))
    print(f"- {options.rounds} rounds of {options.tasks:,} tasks for each, medians\n")
    print("\n".join(_table(contenders, options.processes)))


def _table(contenders: Sequence[Contender], processes: int) -> Iterator[str]:
    """Yield lines of Markdown, with the ratios of our worker on both databases."""
    yield (
        f"| {processes} processes | tasks/s | (min to max) | CPU, µs a task "
        "| our worker on PostgreSQL / this | our worker on SQLite / this |"
    )
    yield "|---|---|---|---|---|---|"
    for contender in contenders:
        cells = [
            f"{statistics.median(contender.rates):,.0f}",
            spread(contender.rates, ",.0f"),
            f"{statistics.median(contender.cpu):,.0f}",
        ]
        for ours in (contenders[0], contenders[2]):
            pairs = zip(ours.rates, contender.rates, strict=True)
            cells.append(f"{statistics.median(one / other for one, other in pairs):.2f}")
        yield f"| {contender.name} | {' | '.join(cells)} |"


@contextmanager
def _on_postgresql(processes: int) -> Iterator[list[Contender]]:
    def execute(statement: str) -> list[tuple]:
        with psycopg.connect(store.url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    with postgresql() as server, database(*server) as store:
        yield _of_django("PostgreSQL", store.url, processes, execute)


@contextmanager
def _on_sqlite(processes: int) -> Iterator[list[Contender]]:
    def execute(statement: str) -> list[tuple]:
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            return connection.execute(statement).fetchall()

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "db.sqlite3"
        yield _of_django("SQLite", f"sqlite:///{path}", processes, execute)


def _of_django(
    kind: str, url: str, processes: int, execute: Callable[[str], list[tuple]]
) -> list[Contender]:
    environment = {
        "DATABASE_URL": url,
        "SECRET_KEY": "only-for-benchmarks-which-keep-nothing",
        "DJANGO_SETTINGS_MODULE": "service.settings",
    }
    migrate = [PYTHON, "-m", "service", "migrate", "--verbosity=0"]
    subprocess.run(migrate, cwd=PROJECT, env={**os.environ, **environment}, check=True)

    def contender(name: str, commands: list[list[str]]) -> Contender:
        return Contender(
            name=f"{name}, {kind}",
            commands=commands,
            environment=environment,
            fill=FILL_DATABASE,
            finished=lambda: execute(FINISHED)[0][0],
            empty=lambda: execute(f"DELETE FROM {TABLE}"),  # noqa: S608
        )

    django = [PYTHON, "-m", "django"]
    return [
        contender("our worker", [[*django, *OURS, f"--processes={processes}"]]),
        contender("stock db_worker", [[*django, *STOCK]] * processes),
    ]


@contextmanager
def _celery(processes: int) -> Iterator[list[Contender]]:
    with redis(durable=True) as (url, _), Redis.from_url(url) as client:
        command = [PYTHON, "-m", "celery", "-A", "benchmarks.peers.celery_app:app", "worker"]
        yield [
            Contender(
                name="Celery, prefork, Redis with fsync",
                commands=[[*command, f"--concurrency={processes}", "--loglevel=WARNING"]],
                environment={"REDIS_URL": url},
                fill=FILL_CELERY,
                finished=lambda: sum(1 for _ in client.scan_iter("celery-task-meta-*", 10_000)),
                empty=client.flushdb,
            )
        ]


@contextmanager
def _rq(processes: int) -> Iterator[list[Contender]]:
    with redis(durable=True) as (url, _), Redis.from_url(url) as client:
        pool = ["worker-pool", "--quiet", f"--num-workers={processes}", f"--url={url}"]
        variants = {
            "RQ, a fork for each task, Redis with fsync": [],
            "RQ, SimpleWorker, Redis with fsync": ["--worker-class=rq.worker.SimpleWorker"],
        }
        yield [
            Contender(
                name=name,
                commands=[[PYTHON, "-m", "rq.cli", *pool, *options]],
                environment={"REDIS_URL": url},
                fill=FILL_RQ,
                finished=lambda: client.zcard("rq:finished:default"),
                empty=client.flushdb,
            )
            for name, options in variants.items()
        ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks peers-workers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
