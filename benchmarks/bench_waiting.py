"""
Requests that wait: how soon they are answered, what they cost, and what others notice of them.

- On an idle service: from `POST /tasks/` with `Prefer: wait` to the result, beside polling every 20 ms.
- With all places taken: GET of a task by others, beside the same service without anybody who waits.
- Many at once, under both worker classes: memory of each, how long after the end of its task it is answered, and
  how many are lost.
"""

import argparse
import asyncio
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import psycopg

from benchmarks.peers.contenders import CALL, CLIENT, PYTHON, manage, service_environment
from benchmarks.peers.load import Request, put_load
from benchmarks.peers.machine import machine
from benchmarks.peers.servers import (
    cpu_seconds,
    free_port,
    running,
    stop_all_when_terminated,
    wait_for_http,
)
from benchmarks.peers.stores import TABLE, Database, database, postgresql
from service.listening import Listening

LATER = json.dumps({**json.loads(CALL), "run_after": "2100-01-01T00:00:00Z"})
GUNICORN = [PYTHON, "-m", "gunicorn", "--config", "service/gunicorn.conf.py"]
SERVERS = {
    "threads": [*GUNICORN, "service.wsgi"],
    "ASGI": [*GUNICORN, "-k", "asgi", "service.asgi"],
}
WORKER = [PYTHON, "-m", "service", "worker", "--queue-name=*"]
FINISH = f"UPDATE {TABLE} SET status = 'SUCCESSFUL', finished_at = now() WHERE id = %s"  # noqa: S608
POLL_SECONDS = 0.02
WAIT = {"Prefer": "wait=3600"}
PLACES = 2000
SETTLED_SECONDS = 6
REQUESTS_PER_SECOND = 100
CONNECTING = 20
PAUSE_SECONDS = 0.05


def main() -> None:
    """Measure, and print tables in Markdown."""
    options = _options()
    stop_all_when_terminated()
    print("\n".join(machine(peers=False)), flush=True)
    with postgresql() as server, tempfile.TemporaryDirectory() as directory:
        urls = [f"sqlite:///{directory}/db.sqlite3"]
        with database(*server) as store:
            urls.insert(0, store.url)
            _print_latency(urls, options.tasks)
        if options.waiting:
            with database(*server) as store:
                _print_full_places(store, options)
            for kind in SERVERS:
                with database(*server) as store:
                    _print_many(kind, store, options)


@contextmanager
def _service(
    kind: str, database_url: str, *, places: int = PLACES, worker: bool = False
) -> Iterator[tuple[httpx.Client, int, str]]:
    """Start a service; give a client, the server's pid and the key of another client."""
    environment = service_environment(Database(database_url, None))
    environment |= {
        "MAX_WAITING": str(places),
        "MAX_WAIT_SECONDS": "3600",
        "PORT": str(free_port()),
        "LOG_LEVEL": "WARNING",
    }
    manage(environment, "migrate", "--verbosity=0")
    key = manage(environment, "create_client", CLIENT)
    other = manage(environment, "create_client", f"{CLIENT}-2")
    with ExitStack() as stack:
        process = stack.enter_context(running(SERVERS[kind], environment))
        if worker:
            stack.enter_context(running(WORKER, environment))
        base = f"http://127.0.0.1:{environment['PORT']}"
        wait_for_http(f"{base}/livez", process)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        client = httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=60)
        yield stack.enter_context(client), process.pid, other


# On an idle service.


def _print_latency(urls: list[str], tasks: int) -> None:
    print("\n| from POST to the result, idle, median (95th percentile) | ms | polling, ms |")
    print("|---|---|---|")
    for url in urls:
        with _service("threads", url, worker=True) as (client, _, _):
            waited, polled = [], []
            _polled(client)
            for _ in range(tasks):
                waited.append(_seconds(lambda: _waited(client)))
                polled.append(_seconds(lambda: _polled(client)))
        name = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
        print(f"| {name} | {_spread(waited)} | {_spread(polled)} |", flush=True)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _waited(client: httpx.Client) -> None:
    task = client.post("/tasks/", content=CALL, headers=WAIT).json()
    if not task["is_finished"]:
        raise RuntimeError("A request has not waited for its task")


def _polled(client: httpx.Client) -> None:
    task = client.post("/tasks/", content=CALL).json()
    while not task["is_finished"]:
        time.sleep(POLL_SECONDS)
        task = client.get(task["url"]).json()


def _spread(seconds: list[float]) -> str:
    in_ms = sorted(1000 * one for one in seconds)
    return f"{statistics.median(in_ms):.0f} ({in_ms[int(0.95 * len(in_ms))]:.0f})"


# While all places are taken.


def _print_full_places(store: Database, options: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {"nobody waits": [], f"{options.waiting} wait": []}
    costs: dict[str, list[float]] = {name: [] for name in rates}
    # One of the places of each process is left to others.
    places = options.waiting // Listening.from_environment().processes + 1
    with _service("threads", store.url, places=places) as (client, pid, key):
        others = {"Authorization": f"Bearer {key}"}
        url = client.post("/tasks/", content=LATER, headers=others).json()["url"]
        path = f"/tasks/{client.post('/tasks/', content=LATER).json()['id']}/"
        for _ in range(options.rounds):
            for name, seen_rates in rates.items():
                number = 0 if name == "nobody waits" else options.waiting
                with _waiting_aside(client, path, number):
                    before = cpu_seconds(pid)
                    seen = put_load(
                        Request("GET", url, key=key), connections=16, seconds=options.duration
                    )
                    costs[name].append((cpu_seconds(pid) - before) / seen.requests * 1e6)
                    seen_rates.append(seen.requests / seen.seconds)
    print("\n| GET by others | requests/s | CPU of the server, µs |\n|---|---|---|")
    for name, seen_rates in rates.items():
        rate, cost = statistics.median(seen_rates), statistics.median(costs[name])
        print(f"| {name} | {rate:.0f} | {cost:.0f} |", flush=True)


@contextmanager
def _waiting_aside(client: httpx.Client, path: str, number: int) -> Iterator[None]:
    """Let requests wait during the block."""
    address = (client.base_url.host, client.base_url.port)
    request = _head(client, path)
    with ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(socket.create_connection(address))
            connection.sendall(request)
        # Until all are held, and are looked at as seldom as those that have waited for long.
        time.sleep(SETTLED_SECONDS)
        yield


def _head(client: httpx.Client, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nPrefer: {WAIT['Prefer']}\r\n"
        f"Authorization: {client.headers['Authorization']}\r\n\r\n"
    ).encode()


# Many at once.


@dataclass(slots=True)
class Seen:
    """What the clients of many waiting requests saw; times by `time.monotonic()`."""

    finished: dict[str, float] = field(default_factory=dict)
    answered: list[tuple[str, float]] = field(default_factory=list)
    lost: int = 0


def _print_many(kind: str, store: Database, options: argparse.Namespace) -> None:
    with _service(kind, store.url) as (client, pid, _):
        ids = [client.post("/tasks/", content=LATER).json()["id"] for _ in range(options.watched)]
        before = _memory(pid)
        seen, memory, seconds = asyncio.run(_many(client, pid, store, ids, options.waiting))
    late = sorted(1000 * (time - seen.finished[task]) for task, time in seen.answered)
    each = (memory - before) / options.waiting / 1000
    print(
        f"\n{kind}: {options.waiting} requests wait for {options.watched} tasks: {each:.0f} kB each, "
        f"{seconds / SETTLED_SECONDS * 100:.0f} % of a processor; answered after "
        f"{statistics.median(late):.0f} ms (median), {late[int(0.99 * len(late))]:.0f} ms (99 %), "
        f"{late[-1]:.0f} ms (all); lost: {seen.lost}",
        flush=True,
    )


async def _many(
    client: httpx.Client, pid: int, store: Database, ids: list[str], number: int
) -> tuple[Seen, int, float]:
    """Let requests wait, then finish their tasks one after the other; return memory and CPU of the wait too."""
    seen = Seen()
    at_once = asyncio.Semaphore(CONNECTING)
    waiting = [
        asyncio.create_task(_wait(client, ids[one % len(ids)], seen, at_once))
        for one in range(number)
    ]
    await asyncio.sleep(number / REQUESTS_PER_SECOND)
    cpu = cpu_seconds(pid)
    await asyncio.sleep(SETTLED_SECONDS)
    cpu, memory = cpu_seconds(pid) - cpu, _memory(pid)
    async with await psycopg.AsyncConnection.connect(store.url, autocommit=True) as connection:
        for task in ids:
            await connection.execute(FINISH, [task])
            seen.finished[task] = time.monotonic()
            await asyncio.sleep(PAUSE_SECONDS)
    _, pending = await asyncio.wait(waiting, timeout=60)
    seen.lost += len(pending)
    return seen, memory, cpu


async def _wait(client: httpx.Client, task: str, seen: Seen, at_once: asyncio.Semaphore) -> None:
    try:
        async with at_once:
            reader, writer = await asyncio.open_connection(
                client.base_url.host, client.base_url.port
            )
            writer.write(_head(client, f"/tasks/{task}/"))
            # As many as a service answers in this time.
            await asyncio.sleep(CONNECTING / REQUESTS_PER_SECOND)
        head = await reader.readuntil(b"\r\n\r\n")
        answered = time.monotonic()
        body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.close()
        if json.loads(body)["is_finished"]:
            seen.answered.append((task, answered))
        else:
            seen.lost += 1
    except (OSError, EOFError, LookupError):
        seen.lost += 1


def _memory(pid: int) -> int:
    """Return the bytes that belong to the processes of a server alone."""
    members = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(member.memory_full_info().uss for member in members)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks waiting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=int, default=100, help="for the latency (100)")
    parser.add_argument(
        "--waiting", type=int, default=2000, help="requests at once; 0: none (2000)"
    )
    parser.add_argument("--watched", type=int, default=200, help="tasks that they wait for (200)")
    parser.add_argument("--rounds", type=int, default=3, help="of GET beside those that wait (3)")
    parser.add_argument("--duration", type=int, default=3, help="of each, in seconds (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
