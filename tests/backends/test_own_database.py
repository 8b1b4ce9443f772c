"""Tasks in a database of their own, without the tables of this app."""

import os
import subprocess
import sys
from collections.abc import Callable

from tests.live_service import PROJECT

PROGRAM = """
import json, os, environ

from service.settings import *

env = environ.Env()
DATABASES = {alias: env.db(alias) for alias in ("default", "tasks")}

class Router:
    def db_for_read(self, model, **hints):
        return "tasks" if model._meta.app_label == "django_tasks_database" else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "tasks") == (app_label == "django_tasks_database")

DATABASE_ROUTERS = [Router()]

from django.conf import settings
settings.configure(**{name: value for name, value in list(vars().items()) if name.isupper()})
import django
django.setup()

from django.core.management import call_command
from django.test import Client as HttpClient
from django_tasks_db.models import DBTaskResult
from tasks_api.clients.keys import issue
from tasks_api.models import Client, Scope

for alias in DATABASES:
    call_command("migrate", database=alias, verbosity=0)
client = Client.objects.create(name="shop", scopes=list(Scope.values))
http = HttpClient(headers={"Authorization": f"Bearer {issue(client).text}"}, SERVER_NAME="localhost")

def post(path, body=None):
    return http.post(path, json.dumps(body) if body else "", content_type="application/json")

call = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
refused = post("/tasks/", {**call, "expires_in_seconds": 60})
task = post("/tasks/", call).json()
read = http.get(task["url"])
listed = http.get("/tasks/").json()["results"]
DBTaskResult.objects.update(status="RUNNING", worker_ids=["w1"])
running = post(task["url"] + "cancel/")
DBTaskResult.objects.update(status="READY", worker_ids=[])
waiting = post(task["url"] + "cancel/")
print("TOLD", json.dumps([
    refused.json()["errors"][0]["code"], read.json() == task, listed == [task],
    running.status_code, waiting.status_code,
]))
"""


def test_are_read_listed_and_cancelled_without_limits(new_database_url: Callable[[], str]) -> None:
    environment = {**os.environ, "default": new_database_url(), "tasks": new_database_url()}
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout

    assert 'TOLD ["limit_not_supported", true, true, 409, 200]' in output
