"""`python -m service run`: try the service with one command and no settings."""

import argparse
import json
import os
import shlex
import sys
import threading
import time
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import django
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, task_backends
from django.utils import timezone

from service.database import database_settings, make_secret_key_file
from service.environment import DEFAULT_HOST, read_environment
from service.listening import Listening
from service.processes import GRACE_SECONDS, run_together

SAMPLE_TASK = "service.tasks.say_hello"
DEMO_CLIENT = "demo"
DEMO_KEY_HOURS = 24


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
    _take_options(arguments)
    listening = Listening.from_environment()
    listening.check_port_is_free()
    variables = read_environment()
    if not variables.secret_key:
        make_secret_key_file(database_settings(variables))
    os.environ.setdefault("PUBLIC_CATALOGUE", "on")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    _set_up()
    return _serve(listening, environment)


def _take_options(arguments: list[str]) -> None:
    """Set the options as environment variables, which the web processes read too."""
    parser = argparse.ArgumentParser(
        "python -m service run", description="Migrate, then start the web and a worker."
    )
    parser.add_argument("--host", default=DEFAULT_HOST, help="the address to listen on")
    parser.add_argument("--port", help="default: PORT")
    options = parser.parse_args(arguments)
    os.environ["HOST"] = options.host
    if options.port is not None:
        os.environ["PORT"] = options.port


def _set_up() -> None:
    """Check the project and migrate the database."""
    # Only here, not in the processes: without a pool, the error says why the connection failed.
    os.environ["DATABASE_POOL_SIZE"] = "0"
    django.setup()
    if errors := [message for message in checks.run_checks() if message.is_serious()]:
        raise ImproperlyConfigured("\n".join(f"{error.id}: {error.msg}" for error in errors))
    call_command("migrate", verbosity=0, interactive=False)


def _serve(listening: Listening, environment: dict[str, str]) -> int:
    # The printed curl command uses this host.
    hosts = [*settings.ALLOWED_HOSTS, listening.address.removesuffix(f":{listening.port}")]
    environment["ALLOWED_HOSTS"] = ",".join(hosts)
    key = _issue_demo_key()
    connections.close_all()
    gunicorn_conf = Path(__file__).with_name("gunicorn.conf.py")
    grace = f"--graceful-timeout={GRACE_SECONDS}"
    web = ["-m", "gunicorn", f"--config={gunicorn_conf}", grace, "service.wsgi"]
    commands = {"web": [sys.executable, *web]}
    if has_worker := _tasks_wait_for_a_worker():
        worker = ["-m", "service", "worker", "--queue-name=*", f"--grace-seconds={GRACE_SECONDS}"]
        commands["worker"] = [sys.executable, *worker]

    def announce() -> None:
        _wait_until_ready(listening)
        sys.stdout.write(_announcement(f"http://{listening.address}", key, readable=has_worker))
        sys.stdout.flush()

    threading.Thread(target=announce, daemon=True).start()
    return run_together(commands, environment)


def _issue_demo_key() -> str:
    """Create a new key for the demo client and revoke its old keys."""
    from tasks_api.clients import keys  # noqa: PLC0415 -- needs the settings
    from tasks_api.models import Client  # noqa: PLC0415

    client, _ = Client.objects.get_or_create(name=DEMO_CLIENT)
    client.keys.all().revoke()
    expires_at = timezone.now() + timedelta(hours=DEMO_KEY_HOURS)
    return keys.issue(client, expires_at=expires_at).text


def _tasks_wait_for_a_worker() -> bool:
    from django_tasks_db import DatabaseBackend  # noqa: PLC0415 -- needs the settings

    return isinstance(task_backends[DEFAULT_TASK_BACKEND_ALIAS], DatabaseBackend)


def _wait_until_ready(listening: Listening) -> None:
    while True:
        connection = HTTPConnection(listening.host, listening.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass  # Not yet.
        finally:
            connection.close()
        time.sleep(0.1)


def _announcement(url: str, key: str, *, readable: bool) -> str:
    call = {"task": SAMPLE_TASK, "kwargs": {"name": "Ada"}}
    authorization = ["-H", f"Authorization: Bearer {key}"]
    header = ["-H", "Content-Type: application/json"]
    curl = ["curl", "-sS", *authorization]
    enqueue = shlex.join([*curl, f"{url}/tasks/", *header, "-d", json.dumps(call)])
    lines = [
        "",
        f"Ready, with documentation at {url}/docs/. The key is valid for {DEMO_KEY_HOURS} hours.",
        "Enqueue a task:",
        "",
        enqueue,
        "",
    ]
    if readable:
        read = f"""{shlex.join(curl)} "$({enqueue} | grep -o 'http[^"]*'; sleep 1)\""""
        lines += [
            'Its result is at the "url" of the answer. Or enqueue and read in one command:',
            "",
            read,
            "",
        ]
    return "\n".join([*lines, ""])
