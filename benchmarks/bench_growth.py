"""
The service over HTTP with few tasks, with 1,000,000 stored, and with 100,000 that wait.

Three services under gunicorn, each on a database of its own, are loaded in turn.
"""

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from benchmarks.peers.contenders import (
    CLIENT,
    Conditions,
    manage,
    service_environment,
    service_on,
)
from benchmarks.peers.figures import Case, Ratio, Samples, table
from benchmarks.peers.machine import described
from benchmarks.peers.peer import LIST, Peer, measure
from benchmarks.peers.servers import PROJECT, stop_all_when_terminated
from benchmarks.peers.stores import TABLE, database, postgresql
from service.listening import Listening

FEW = "100 tasks"
# Tasks stored, and how many of these are READY. A page of 50 is a full one with few tasks too.
SIZES = {FEW: (100, 0), "1,000,000 tasks": (1_000_000, 0), "100,000 READY": (100_100, 100_000)}
OPERATIONS = ("POST", "GET", LIST)
CONNECTIONS = 16
WARM_UP_SECONDS = 2


@dataclass(slots=True)
class Filled:
    """A database with tasks that stay; what a turn has added is removed."""

    url: str
    pid: int | None
    # Ids begin with the time, and those of the tasks that stay lie in the past.
    last: str = ""

    def remember(self) -> None:
        """Let the tasks that are there stay."""
        rows = self._execute(f"SELECT id FROM {TABLE} ORDER BY id DESC LIMIT 1")  # noqa: S608
        self.last = str(rows[0][0])

    def count(self) -> int:
        """Return how many tasks were added."""
        rows = self._execute(f"SELECT count(*) FROM {TABLE} WHERE id > '{self.last}'")  # noqa: S608
        return rows[0][0]

    def empty(self) -> None:
        """Remove what was added."""
        self._execute(f"DELETE FROM {TABLE} WHERE id > '{self.last}' RETURNING 1")  # noqa: S608
        if self.url.startswith("postgres"):
            self._execute(f"VACUUM {TABLE}")

    def _execute(self, statement: str) -> list[tuple]:
        if self.url.startswith("postgres"):
            with psycopg.connect(self.url, autocommit=True) as connection:
                cursor = connection.execute(statement)
                return cursor.fetchall() if cursor.description else []
        path = self.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            return connection.execute(statement).fetchall()


def main() -> None:
    """Fill the databases, measure, and print tables and ratios in Markdown."""
    options = _options()
    stop_all_when_terminated()
    listening = Listening.from_environment()
    with ExitStack() as stack:
        new_database = stack.enter_context(_databases(options.database))
        peers = []
        for name, (tasks, ready) in SIZES.items():
            store = new_database()
            conditions = Conditions(store.url, store, listening.processes, listening.threads)
            manage(service_environment(store), "migrate", "--verbosity=0")
            peer, _ = stack.enter_context(service_on(store, PROJECT, (name, "")))
            _fill(store, tasks, ready)
            peers.append(peer)
        print("\n".join(described(conditions, options, peers=False)), flush=True)
        samples = _measured(peers, options)
    for operation in OPERATIONS:
        print("", *table(samples, operation, CONNECTIONS), sep="\n")
    print("\n| ratio | median | (min to max) |\n|---|---|---|")
    for ratio in _ratios():
        print(ratio.line(samples))


def _measured(peers: list[Peer], options: argparse.Namespace) -> Samples:
    samples: Samples = {
        Case(peer.name, operation, CONNECTIONS): [] for operation in OPERATIONS for peer in peers
    }
    for peer in peers:
        peer.load(peer.request("POST"), CONNECTIONS, WARM_UP_SECONDS)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for operation in OPERATIONS:
            for peer in peers[:: -1 if number % 2 else 1]:
                sample = measure(peer, operation, connections=CONNECTIONS, seconds=options.duration)
                samples[Case(peer.name, operation, CONNECTIONS)].append(sample)
    return samples


def _ratios() -> Iterator[Ratio]:
    for operation in OPERATIONS:
        few = Case(FEW, operation, CONNECTIONS)
        for name in SIZES:
            if name != FEW:
                for figure, label in (("rate", "rate"), ("server_cpu", "server CPU")):
                    case = few._replace(peer=name)
                    yield Ratio(f"{operation}: {name} / {FEW}, {label}", case, few, figure)


def _fill(store: Filled, tasks: int, ready: int) -> None:
    environment = service_environment(store)
    manage(environment, CLIENT, str(tasks), str(ready), module="benchmarks.filling")
    store.remember()


@contextmanager
def _databases(kind: str) -> Iterator[Callable[[], Filled]]:
    """Give a function that makes an empty database."""
    with ExitStack() as stack:
        if kind == "sqlite":
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            names = (f"sqlite:///{directory}/{number}.sqlite3" for number in count())
            yield lambda: Filled(next(names), None)
        else:
            server = stack.enter_context(postgresql())
            yield lambda: Filled(stack.enter_context(database(*server)).url, server[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=int, default=3, help="of each turn, in seconds (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
