"""Which tasks are served: discovered in installed apps, exposed by patterns, never by import."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

from tasks_api.calls.registry import Registry, registry
from tests.conftest import StartService
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService

type MakeApp = Callable[..., str]


@pytest.fixture
def make_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], str]]:
    """Write an app with a `tasks` module that can be imported for the time of a test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def make(name: str, tasks: str) -> str:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "tasks.py").write_text(tasks)
        return name

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def names_of(app: str, *patterns: str) -> list[str]:
    with override_settings(INSTALLED_APPS=[app], TASKS_API={"TASKS": list(patterns)}):
        own = Registry()
        own.discover()
        return list(own.task_types)


def test_a_queue_that_is_not_listed_is_refused_with_the_setting_that_lists_it(
    make_app: MakeApp,
) -> None:
    app = make_app(
        "ovens",
        """
from django.tasks import task

@task(queue_name="ovens")
def bake(): "Bake."
""",
    )
    with pytest.raises(ImproperlyConfigured) as raised:
        names_of(app, "*")
    assert "Queue 'ovens' is not valid for backend. Add it to QUEUES" in str(raised.value)
    assert "TASKS_QUEUES" in str(raised.value)


def test_the_tasks_of_an_installed_app_are_served_by_pattern(make_app: MakeApp) -> None:
    app = make_app(
        "bakery",
        """
from django.tasks import task

@task
def bake(): "Bake."

@task
def eat(): "Eat."

def clean(): "No task."
""",
    )
    assert names_of(app, "bakery.tasks.*") == ["bakery.tasks.bake", "bakery.tasks.eat"]
    assert names_of(app, "*.eat") == ["bakery.tasks.eat"]
    assert names_of(app, "Bakery.*", "other.*") == []
    assert names_of(app) == []


def test_aliases_and_tasks_that_cannot_be_reached_are_dropped(make_app: MakeApp) -> None:
    app = make_app(
        "florist",
        """
from django.tasks import task
from service.tasks import say_hello

@task
def tie(): pass

def raw(): pass

urgent = tie.using(priority=9)
same = tie
wrapped = task(raw)
""",
    )
    assert names_of(app, "*") == ["florist.tasks.tie", "service.tasks.say_hello"]


def test_a_module_that_cannot_be_imported_is_named(make_app: MakeApp) -> None:
    app = make_app("butcher", "1 / 0")

    with pytest.raises(ImproperlyConfigured, match=r"butcher\.tasks.*ZeroDivisionError"):
        names_of(app, "*")


@pytest.mark.django_db
def test_an_empty_registry_is_reported() -> None:
    with override_settings(TASKS_API={}):
        messages = [message for message in run_checks() if message.id == "tasks_api.W001"]

        assert len(messages) == 1
        assert "TASKS_API_TASKS" in str(messages[0].hint)
        assert not registry.task_types
    assert registry.task_types


@pytest.mark.django_db
def test_a_database_backend_whose_ids_know_no_owner_is_reported() -> None:
    backend = "django_tasks_db.DatabaseBackend"
    queues = ["default", "emails", "reports"]
    with override_settings(TASKS={"default": {"BACKEND": backend, "QUEUES": queues}}):
        messages = [message for message in run_checks() if message.id == "tasks_api.E002"]

    assert len(messages) == 1
    assert "tasks_api.ids.new_task_id" in (messages[0].hint or "")


@pytest.mark.django_db
def test_a_queue_whose_name_the_database_cannot_hold_is_reported() -> None:
    backend = {
        "BACKEND": "django_tasks_db.DatabaseBackend",
        "QUEUES": ["default", "emails", "reports", "x" * 33],
        "OPTIONS": {"id_function": "tasks_api.ids.new_task_id"},
    }
    with override_settings(TASKS={"default": backend}):
        messages = [message for message in run_checks() if message.id == "tasks_api.E007"]

    assert len(messages) == 1


@pytest.mark.django_db
def test_the_set_up_of_the_service_has_nothing_to_report() -> None:
    assert [
        message for message in run_checks() if (message.id or "").startswith("tasks_api.E")
    ] == []


def test_task_types_are_listed_by_name(service: LiveService) -> None:
    results = service.get("/task-types/").json()["results"]
    names = [task_type["name"] for task_type in results]

    assert names == sorted(names)
    assert "service.tasks.say_hello" in names
    assert "tests.tasks.alias_of_echo" not in names


def test_a_task_type_tells_what_it_is(service: LiveService) -> None:
    task_type = service.get("/task-types/service.tasks.send_welcome_email/").json()

    arguments = task_type.pop("arguments")
    assert list(arguments["properties"]["kwargs"]["properties"]) == ["user_id"]
    assert task_type == {
        "name": "service.tasks.send_welcome_email",
        "description": "Welcome a user by e-mail; fails if there is no such user.",
        "queue_name": "emails",
        "priority": 2,
        "backend": "default",
        "takes_context": False,
        "is_async": False,
        "return_value": {"type": "null"},
        "policy": {
            "max_attempts": 1,
            "backoff": {"initial": 5, "factor": 2, "max": 600, "jitter": 0.1},
            "retry_on": None,
            "timeout_seconds": None,
            "stop_grace_seconds": 10,
        },
    }


def test_a_task_type_tells_the_policy_that_applies_to_it(client: Client) -> None:
    """Said at the function: `max_attempts`, `backoff` and `retry_on`."""
    name = "tests.tasks.is_tried_again"
    policies = {
        "*": {"max_attempts": 4},
        name: {"backoff": {"max": 60}, "timeout_seconds": 30, "retry_on": None},
        "other.*": {"max_attempts": 5},
    }
    said = client.get(f"/task-types/{name}/").json()["policy"]
    with override_settings(TASKS_API={**settings.TASKS_API, "POLICIES": policies}):
        overridden = client.get(f"/task-types/{name}/").json()["policy"]
        results = client.get("/task-types/").json()["results"]

    assert (said["max_attempts"], said["retry_on"]) == (3, ["builtins.OSError"])
    assert overridden == {
        "max_attempts": 4,
        "backoff": {"initial": 1, "factor": 2, "max": 60, "jitter": 0},
        "retry_on": None,
        "timeout_seconds": 30,
        "stop_grace_seconds": 10,
    }
    listed = {one["name"]: one["policy"] for one in results}
    assert listed[name] == overridden
    assert listed["tests.tasks.echo"]["max_attempts"] == 4


def test_the_policies_of_the_service_are_a_variable(start_service: StartService) -> None:
    policies = '{"tests.tasks.echo": {"timeout_seconds": 0.5, "retry_on": ["builtins.OSError"]}}'
    service = start_service({"POLICIES": policies}, worker=False)

    policy = service.get("/task-types/tests.tasks.echo/").json()["policy"]

    assert (policy["timeout_seconds"], policy["retry_on"]) == (0.5, ["builtins.OSError"])


def test_a_task_type_tells_that_it_is_async_and_takes_the_context(service: LiveService) -> None:
    task_type = service.get("/task-types/tests.tasks.tell_attempt_later/").json()

    assert (task_type["is_async"], task_type["takes_context"]) == (True, True)
    assert "context" not in str(task_type["arguments"])


def test_a_task_type_that_is_not_exposed_is_not_there(service: LiveService) -> None:
    for name in ("tests.tasks.alias_of_echo", "os.system", "service.tasks"):
        assert_problem(service.get(f"/task-types/{name}/"), 404, "not_found")


def test_a_name_is_never_imported(service: LiveService) -> None:
    service.post("/tasks/", {"task": "this.s"})
    service.get("/task-types/this.s/")

    assert "The Zen of Python" not in service.log()


# One of Django's own checks asks SQLite for JSON.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "pattern", "close"),
    [
        ("TASKS", "service.task.*", "; close to it: service.tasks.*"),
        ("TASKS", "tests.tasks.ecko", "; close to it: tests.tasks.echo"),
        ("REQUEUE_WHEN_LOST", "elsewhere", ""),
        ("POLICIES", "tests.task.*", "; close to it: tests.tasks.*"),
    ],
)
def test_a_pattern_that_matches_no_task_is_reported(key: str, pattern: str, close: str) -> None:
    patterns: dict[str, Any] = {"TASKS": ["service.tasks.*"]}
    patterns[key] = ["service.tasks.add", pattern]
    if key == "POLICIES":
        patterns[key] = {one: {"max_attempts": 2} for one in patterns[key]}
    with override_settings(TASKS_API=patterns):
        (message,) = [one for one in run_checks() if one.id == "tasks_api.W006"]

    assert str(message.msg).startswith(f"The pattern {pattern} matches no task{close}")
    assert f"TASKS_API['{key}'] (in the service, the variable " in str(message.hint)
