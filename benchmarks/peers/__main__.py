"""
Starts the service and its peers, loads each in turn, and prints tables and ratios in Markdown.

All servers listen on 127.0.0.1, on databases and in directories that are removed afterwards.
WEB_CONCURRENCY and WEB_THREADS apply to all; DATABASE_URL names a PostgreSQL server whose user may
create databases, else one is started, which writes commits to the disk.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peers.contenders import (
    CONTENDERS,
    Conditions,
    manage,
    service_environment,
    service_of,
)
from benchmarks.peers.figures import Case, Samples, table
from benchmarks.peers.machine import described
from benchmarks.peers.peer import Peer, measure
from benchmarks.peers.ratios import ratios
from benchmarks.peers.servers import stop_all_when_terminated
from benchmarks.peers.stores import database, postgresql
from service.listening import Listening

# Celery takes one for its first task.
WARM_UP_SECONDS = 2


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    stop_all_when_terminated()
    listening = Listening.from_environment()
    with ExitStack() as stack:
        url, pid = stack.enter_context(postgresql())
        store = stack.enter_context(database(url, pid))
        conditions = Conditions(url, store, listening.processes, listening.threads)
        manage(service_environment(store), "migrate", "--verbosity=0")
        peers: list[Peer] = []
        for name in options.only:
            peers += stack.enter_context(CONTENDERS[name](conditions))
        for project in options.checkout:
            peers += stack.enter_context(service_of(project, conditions))
        print("\n".join(described(conditions, options, peers=True)), flush=True)
        samples = _measured(peers, options)
    for operation in ("POST", "GET"):
        for connections in options.connections:
            print("", *table(samples, operation, connections), sep="\n")
    print("", *ratios(samples, options.connections), sep="\n")


def _measured(peers: list[Peer], options: argparse.Namespace) -> Samples:
    turns = [
        (peer, operation, connections)
        for operation in ("POST", "GET")
        for connections in options.connections
        for peer in peers
        if operation in peer.operations
        # Threads, not connections, are what enqueues in process.
        if peer.url or connections == options.connections[0]
    ]
    samples: Samples = {Case(peer.name, operation, n): [] for peer, operation, n in turns}
    for peer in peers:
        for operation in peer.operations:
            peer.load(peer.request(operation), 16, WARM_UP_SECONDS)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        # Every other round backwards, so that none always follows the same one.
        for peer, operation, connections in turns[:: -1 if number % 2 else 1]:
            sample = measure(peer, operation, connections=connections, seconds=options.duration)
            samples[Case(peer.name, operation, connections)].append(sample)
    return samples


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="of all, one after the other (5)")
    parser.add_argument("--duration", type=int, default=3, help="of each turn, in seconds (3)")
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64], help="(16 64)")
    parser.add_argument(
        "--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="PEER",
        help=f"some of {', '.join(CONTENDERS)}",
    )  # fmt: skip
    parser.add_argument(
        "--checkout", type=Path, nargs="+", default=[], metavar="DIRECTORY",
        help="measure the service of other checkouts as well, with the packages of this one",
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
