"""The machine and the versions that figures belong to."""

import argparse
import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg

from benchmarks.peers.contenders import Conditions
from benchmarks.peers.load import WRK

PACKAGES = ("Django", "djangorestframework", "django-tasks-db", "gunicorn", "psycopg", "redis")
PEERS = ("fastapi", "uvicorn", "celery", "rq", "flower")


def machine(*, peers: bool) -> Iterator[str]:
    """Yield lines of a list in Markdown: the machine, and the versions of packages."""
    yield f"- {datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} processors ({_model()}),"
    yield f"  Linux {platform.release()}, Python {platform.python_version()}"
    yield f"- {_versions(PACKAGES)}"
    if peers:
        yield f"- {_versions(PEERS)}, {_redis()}"


def described(conditions: Conditions, options: argparse.Namespace, *, peers: bool) -> Iterator[str]:
    """Yield the machine's lines, and how it was measured."""
    yield from machine(peers=peers)
    yield f"- {_database(conditions.store.url)}"
    yield (
        f"- {conditions.processes} processes with {conditions.threads} threads each; load from "
        f"{'wrk' if WRK else 'the client in Python'}, {options.rounds} rounds of "
        f"{options.duration} s for each case, medians"
    )


def _database(url: str) -> str:
    if not url.startswith("postgres"):
        return f"SQLite {sqlite3.sqlite_version}"
    with psycopg.connect(url) as connection:
        version, *settings = (
            connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("server_version", "fsync", "synchronous_commit")
        )
    return "PostgreSQL {}, fsync {}, synchronous_commit {}".format(version, *settings)


def _versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {version(name)}" for name in packages)


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _redis() -> str:
    words = subprocess.run(
        ["redis-server", "--version"],  # noqa: S607 -- of the system
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return f"Redis {words[2].removeprefix('v=')}"
