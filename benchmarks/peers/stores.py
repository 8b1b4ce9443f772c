"""The databases and the Redis servers of the peers: started, counted and emptied."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import psycopg
from redis import Redis

from benchmarks.peers.servers import START_SECONDS, free_port, running
from tests.postgresql import PostgreSQLServer, create_database, drop_database

TABLE = "django_tasks_database_dbtaskresult"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Store(Protocol):
    """Where tasks go; `pid` is None where there is no process of its own to account for."""

    @property
    def url(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    def count(self) -> int: ...
    def empty(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Database:
    """A database in PostgreSQL with the table of django-tasks-db."""

    url: str
    pid: int | None

    def count(self) -> int:
        """Return how many tasks there are."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0]  # noqa: S608

    def empty(self) -> None:
        """Remove all tasks."""
        with psycopg.connect(self.url) as connection:
            connection.execute(f"TRUNCATE {TABLE}")


@dataclass(frozen=True, slots=True)
class Queue:
    """A list in Redis; the rest of its database may be emptied too, or, as Celery's bindings, not."""

    url: str
    pid: int
    name: str

    def count(self) -> int:
        """Return how many tasks wait."""
        with Redis.from_url(self.url) as redis:
            return redis.llen(self.name)

    def empty(self) -> None:
        """Remove all tasks."""
        with Redis.from_url(self.url) as redis:
            kept = {key: redis.dump(key) for key in redis.scan_iter("_kombu.*")}
            redis.flushdb()
            for key, value in kept.items():
                redis.restore(key, 0, value)


@contextmanager
def postgresql() -> Iterator[tuple[str, int | None]]:
    """Give the URL of the server of `DATABASE_URL`, or of one of our own, and the own one's pid."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield given, None
        return
    server = PostgreSQLServer(fsync=True)
    try:
        yield server.url, server.pid
    finally:
        server.close()


@contextmanager
def database(server_url: str, pid: int | None) -> Iterator[Database]:
    """Create a database that is dropped at the end."""
    url = create_database(server_url)
    try:
        yield Database(url, pid)
    finally:
        drop_database(url, server_url=server_url)


@contextmanager
def redis(*, durable: bool) -> Iterator[tuple[str, int]]:
    """Start a Redis that writes each command to the disk before it answers, or none ever."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="peers-redis-") as directory:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        command += ["--dir", directory, *(DURABLE if durable else ())]
        with running(command) as process:
            _wait_for(port)
            # So that the figures are of what they say.
            with Redis(port=port) as client:
                is_durable = client.config_get("appendonly")["appendonly"] == "yes"
            if is_durable != durable:
                raise RuntimeError("Redis does not take its options")
            yield f"redis://127.0.0.1:{port}", process.pid


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("Redis does not start")
