"""Each peer as it is started."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.peer import InProcess, Peer
from benchmarks.peers.servers import PROJECT, free_port, running, wait_for_http
from benchmarks.peers.stores import Database, Queue, Store, database, redis

SERVICE = "this service"
CHECKOUT = "service in "
ENQUEUE = "`enqueue()` in process"
EMPTY = "empty view of DRF"
LIVEZ = "this service's /livez"
NAIVE = "DRF on django-tasks-db"
CELERY, RQ = "FastAPI + Celery, fsync", "FastAPI + RQ, fsync"
ASYNC = ", async def"
FLOWER = "Flower, fsync"

CLIENT = "benchmark"
CALL = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})
GREETING = json.dumps({"name": "Ada"})
PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class Conditions:
    """
    What all peers share: the PostgreSQL server, and the number of processes and threads.

    `store` is a database there with the service's tables.
    """

    server_url: str
    store: Database
    processes: int
    threads: int


Start = Callable[[Conditions], AbstractContextManager[list[Peer]]]


@contextmanager
def service(conditions: Conditions) -> Iterator[list[Peer]]:
    """Start the service as it is shipped, with the key of a client."""
    with service_on(conditions.store, PROJECT, (SERVICE, LIVEZ)) as peers:
        yield peers


@contextmanager
def service_of(project: Path, conditions: Conditions) -> Iterator[list[Peer]]:
    """Start the service of another checkout, which has other migrations perhaps."""
    name = CHECKOUT + project.name
    with database(conditions.server_url, conditions.store.pid) as store:
        manage(service_environment(store), "migrate", "--verbosity=0", project=project)
        with service_on(store, project, (name, f"{name}: /livez")) as peers:
            yield peers


@contextmanager
def service_on(store: Store, project: Path, names: tuple[str, str]) -> Iterator[list[Peer]]:
    """
    Start the service on a database that has its tables; the second name is that of `/livez`.

    Processes and threads are its own defaults, or those of this process's environment.
    """
    environment = service_environment(store)
    key = manage(environment, "create_client", CLIENT, project=project)
    with _gunicorn("service.wsgi", environment, project) as (url, pid):
        tasks = Peer(
            name=names[0], pids=[pid], url=f"{url}/tasks/", body=CALL, key=key, store=store
        )
        livez = Peer(name=names[1], pids=[pid], url=f"{url}/livez", operations=["GET"])
        yield [tasks, livez]


@contextmanager
def empty_view(conditions: Conditions) -> Iterator[list[Peer]]:
    """Start what the stack costs at least: the service's server and middlewares, and no more."""
    environment = service_environment(conditions.store)
    with _gunicorn("benchmarks.peers.empty_view", environment, PROJECT) as (url, pid):
        yield [Peer(name=EMPTY, pids=[pid], url=f"{url}/empty/", operations=["GET"])]


@contextmanager
def in_process(conditions: Conditions) -> Iterator[list[Peer]]:
    """Start processes that enqueue without HTTP."""
    command = [PYTHON, "-m", "benchmarks.peers.in_process", str(conditions.threads)]
    environment = service_environment(conditions.store)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(command, environment, **pipes))
            for _ in range(conditions.processes)
        ]
        yield [
            InProcess(
                name=ENQUEUE,
                pids=[process.pid for process in processes],
                url="",
                store=conditions.store,
                operations=["POST"],
                processes=processes,
            )
        ]


@contextmanager
def naive_drf(conditions: Conditions) -> Iterator[list[Peer]]:
    """Start what a Django developer writes in a few minutes, under gunicorn without our settings."""
    with database(conditions.server_url, conditions.store.pid) as store:
        environment = {
            "DATABASE_URL": store.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.peers.naive_settings",
        }
        manage(environment, "migrate", "--verbosity=0", module="django")
        port = free_port()
        command = [PYTHON, "-m", "gunicorn", "benchmarks.peers.naive_drf"]
        command += ["--workers", str(conditions.processes), "--threads", str(conditions.threads)]
        command += ["--bind", f"127.0.0.1:{port}"]
        # As ours: else gunicorn closes connections after two seconds.
        command += ["--keep-alive", "65"]
        with running(command, environment) as process:
            url = f"http://127.0.0.1:{port}/tasks/"
            wait_for_http(url, process)
            yield [Peer(name=NAIVE, pids=[process.pid], url=url, body=GREETING, store=store)]


def fastapi(framework: str, name: str, queue: str, *, durable: bool) -> Start:
    """Return what starts FastAPI under uvicorn on a Redis of its own."""

    @contextmanager
    def start(conditions: Conditions) -> Iterator[list[Peer]]:
        port = free_port()
        command = [PYTHON, "-m", "uvicorn", f"benchmarks.peers.fastapi_{framework}:app"]
        command += ["--port", str(port), "--workers", str(conditions.processes)]
        # In doubt a peer has the advantage: our own server writes its access log.
        command += ["--no-access-log"]
        with (
            redis(durable=durable) as (redis_url, redis_pid),
            running(command, {"REDIS_URL": redis_url}) as process,
        ):
            base = f"http://127.0.0.1:{port}"
            wait_for_http(base, process)
            yield [
                Peer(
                    name=name + variant,
                    pids=[process.pid],
                    url=f"{base}{path}",
                    body=GREETING,
                    store=Queue(redis_url, redis_pid, queue),
                    # Reads do not touch the disk.
                    operations=["POST", "GET"] if durable else ["POST"],
                )
                for variant, path in (("", "/tasks/"), (ASYNC, "/async/tasks/"))
            ]

    return start


@contextmanager
def flower(conditions: Conditions) -> Iterator[list[Peer]]:
    """Start Flower, whose API enqueues; it has one process."""
    port = free_port()
    command = [PYTHON, "-m", "celery", "-A", "benchmarks.peers.celery_app:app", "flower"]
    command += [f"--port={port}", "--address=127.0.0.1"]
    with redis(durable=True) as (redis_url, redis_pid):
        environment = {"REDIS_URL": redis_url, "FLOWER_UNAUTHENTICATED_API": "true"}
        with running(command, environment) as process:
            base = f"http://127.0.0.1:{port}"
            wait_for_http(f"{base}/healthcheck", process)
            yield [
                Peer(
                    name=FLOWER,
                    pids=[process.pid],
                    url=f"{base}/api/task/async-apply/say_hello",
                    body=json.dumps({"args": ["Ada"]}),
                    store=Queue(redis_url, redis_pid, "celery"),
                    operations=["POST"],
                )
            ]


CONTENDERS: dict[str, Start] = {
    "enqueue": in_process,
    "service": service,
    "empty-view": empty_view,
    "naive-drf": naive_drf,
    "celery": fastapi("celery", CELERY, "celery", durable=True),
    "rq": fastapi("rq", RQ, "rq:queue:default", durable=True),
    "celery-volatile": fastapi("celery", "FastAPI + Celery, volatile", "celery", durable=False),
    "rq-volatile": fastapi("rq", "FastAPI + RQ, volatile", "rq:queue:default", durable=False),
    "flower": flower,
}


def manage(
    environment: dict[str, str],
    *arguments: str,
    module: str = "service",
    project: Path = PROJECT,
) -> str:
    """Run a management command and return what it prints."""
    command = [PYTHON, "-m", module, *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=project, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def service_environment(store: Store) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "SECRET_KEY": "only-for-benchmarks-which-keep-nothing",
        "DATABASE_URL": store.url,
    }


@contextmanager
def _gunicorn(
    application: str, environment: dict[str, str], project: Path
) -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [PYTHON, "-m", "gunicorn", "--config", "service/gunicorn.conf.py", application]
    with running(command, {**environment, "PORT": str(port)}, project) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for_http(url, process)
        yield url, process.pid
