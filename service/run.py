"""`python -m service run`: try the service with one command and no settings."""

import argparse
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import django
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, connections
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, task_backends

from service.announcement import announcement, sample_call, wait_until_ready
from service.database import database_settings, make_secret_key_file, secret_key_file
from service.demo_key import DemoKey, demo_key, demo_key_path, open_key_file
from service.environment import DEFAULT_HOST, read_environment
from service.listening import Listening
from service.own_tasks import OwnTasks
from service.processes import GRACE_SECONDS, Process, run_together, write
from service.reloading import reload_when_code_changes
from tasks_api.worker.parent.init import leave_init_behind


def run(arguments: list[str]) -> int:
    """
    Migrate, start the web and a worker, and stop both on Ctrl-C or SIGTERM within 10 seconds.

    Returns:
        the exit status: 0 if it was asked to stop and both stopped by themselves, 1 if one of them
        ended before or had to be killed.

    Raises:
        ImproperlyConfigured: it cannot start with these settings.
        OperationalError: the database cannot be used.

    """
    options = parser().parse_args(arguments)
    leave_init_behind()
    # As environment variables, which the web processes read too.
    os.environ["HOST"] = options.host
    if options.port is not None:
        os.environ["PORT"] = options.port
    listening = Listening.from_environment()
    listening.check_port_is_free()
    own_tasks = [OwnTasks(given) for given in options.tasks]
    for own in own_tasks:
        own.install()
        own.add_to_environment()
    variables = read_environment()
    if not variables.secret_key:
        make_secret_key_file(database_settings(variables))
    os.environ.setdefault("PUBLIC_CATALOGUE", "on")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return _serve(listening, environment, _set_up(own_tasks), own_tasks)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    described = argparse.ArgumentParser(
        "python -m service run", description="Migrate, then start the web and a worker."
    )
    described.add_argument("--host", default=DEFAULT_HOST, help="the address to listen on")
    described.add_argument("--port", help="default: PORT")
    described.add_argument(
        "--tasks",
        action="append",
        default=[],
        metavar="DIRECTORY",
        help="where tasks of your own are: they are installed, served, and reloaded when they change",
    )
    return described


def _set_up(own_tasks: Sequence[OwnTasks]) -> DemoKey:
    """Check the project, migrate the database, and return the key to print."""
    # Only here, not in the processes: without a pool, the error says why the connection failed.
    os.environ["DATABASE_POOL_SIZE"] = "0"
    django.setup()
    found = [message for message in checks.run_checks() if not message.is_silenced()]
    if errors := [message for message in found if message.is_serious()]:
        raise ImproperlyConfigured("\n".join(f"{error.id}: {error.msg}" for error in errors))
    for own in own_tasks:
        own.check_exposed()
    for warning in found:
        write("run", f"{warning.id}: {warning.msg} {warning.hint or ''}".rstrip())
    database = settings.DATABASES["default"]
    # Where there is no database, there is no file for it either.
    connection.ensure_connection()
    # The file is also the lock for what only one of several processes may do at a time.
    with open_key_file(demo_key_path(secret_key_file(database).parent, database)) as file:
        call_command("migrate", verbosity=0, interactive=False)
        key = demo_key(file)
    connections.close_all()
    return key


def _serve(
    listening: Listening,
    environment: dict[str, str],
    key: DemoKey,
    own_tasks: Sequence[OwnTasks],
) -> int:
    # The printed curl command uses this host.
    hosts = [*settings.ALLOWED_HOSTS, listening.address.removesuffix(f":{listening.port}")]
    environment["ALLOWED_HOSTS"] = ",".join(hosts)
    names = [name for own in own_tasks for name in own.exposed]
    gunicorn_conf = Path(__file__).with_name("gunicorn.conf.py")
    grace = f"--graceful-timeout={GRACE_SECONDS}"
    web = ["-m", "gunicorn", f"--config={gunicorn_conf}", grace, "service.wsgi"]
    commands = {"web": [sys.executable, *web]}
    if has_worker := _tasks_wait_for_a_worker():
        worker = ["-m", "service", "worker", "--queue-name=*", f"--grace-seconds={GRACE_SECONDS}"]
        # The checks have been run, and their warnings written.
        worker.append("--skip-checks")
        commands["worker"] = [sys.executable, *worker, *(["--reload"] if own_tasks else [])]

    def announce() -> None:
        wait_until_ready(listening)
        url = f"http://{listening.address}"
        sys.stdout.write(announcement(url, key, sample_call(), names, waits=has_worker))
        sys.stdout.flush()

    def watch(processes: Mapping[str, Process]) -> None:
        directories = [package.directory for own in own_tasks for package in own.packages]
        reload_when_code_changes(
            directories, environment, processes["web"], lambda text: write("run", text)
        )

    def on_start(processes: Mapping[str, Process]) -> None:
        threading.Thread(target=announce, daemon=True).start()
        if own_tasks:
            threading.Thread(target=watch, args=(processes,), daemon=True).start()

    return run_together(commands, environment, on_start=on_start)


def _tasks_wait_for_a_worker() -> bool:
    from django_tasks_db import DatabaseBackend  # noqa: PLC0415 -- needs the settings

    return isinstance(task_backends[DEFAULT_TASK_BACKEND_ALIAS], DatabaseBackend)
