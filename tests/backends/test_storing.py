"""A task that a client enqueues is stored and announced as `enqueue()` of django-tasks-db does it."""

import json
import logging
from dataclasses import fields
from datetime import UTC, datetime
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest
from django.db.models.signals import post_save, pre_save
from django.tasks import Task, TaskResult, default_task_backend
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.signals import task_enqueued
from django.test import Client
from django.utils.module_loading import import_string
from django_tasks_db.backend import DatabaseBackend
from django_tasks_db.models import DBTaskResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks_api.backends.database import storing
from tests.json_values import SCALARS
from tests.signals import connected

pytestmark = pytest.mark.django_db(transaction=True)

IDENTITY = {"id", "enqueued_at"}
"""What differs between two tasks that are otherwise the same."""

CALLS: list[dict[str, Any]] = [
    {"task": "tests.tasks.return_null"},
    {"task": "tests.tasks.has_a_queue_and_a_priority"},
    {"task": "tests.tasks.has_a_queue_and_a_priority", "priority": -100, "queue_name": "reports"},
    {"task": "tests.tasks.echo", "run_after": "2100-01-02T03:04:05.678901+02:00"},
    {
        "task": "tests.tasks.echo",
        "args": [1, "2", None, True, 1.5, [], {}],
        "kwargs": {"a": {"b": []}},
    },
    {
        "task": "tests.tasks.echo",
        "args": ["100 %s %% '; \\' \\\\ \" \u2028 \u00e9 \U0001f600", 10**60],
    },
]


def enqueue_twice(client: Client, call: dict[str, Any], *, batch: bool) -> tuple[Any, Any]:
    """Enqueue a call over HTTP, and in process; return the results that `task_enqueued` announced."""
    announced: list[Any] = []

    def note(sender: type, task_result: Any, **_: Any) -> None:
        announced.append((sender, task_result))

    with connected(task_enqueued, note):
        path, body = ("/tasks/batch/", {"tasks": [call]}) if batch else ("/tasks/", call)
        response = client.post(path, json.dumps(body), content_type="application/json")
        assert response.status_code == 202, response.content
        upstream(call).enqueue(*call.get("args", []), **call.get("kwargs", {}))
    (sender, ours), (other_sender, theirs) = announced
    assert sender is other_sender
    return ours, theirs


def upstream(call: dict[str, Any]) -> "Task[..., Any]":
    task: Task[..., Any] = import_string(call["task"])
    run_after = call.get("run_after")
    return task.using(
        queue_name=call.get("queue_name"),
        priority=call.get("priority"),
        run_after=run_after and datetime.fromisoformat(run_after).astimezone(UTC),
    )


def columns(row: Any) -> dict[str, Any]:
    return {
        field.attname: getattr(row, field.attname)
        for field in DBTaskResult._meta.concrete_fields
        if field.attname not in IDENTITY
    }


def members(result: "TaskResult[..., Any]") -> dict[str, Any]:
    names = {field.name for field in fields(result)} - IDENTITY - {"db_result"}
    return {name: getattr(result, name) for name in names}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_the_row_and_the_announced_result_are_those_of_enqueue(
    client: Client, call: dict[str, Any], batch: bool
) -> None:
    before = datetime.now(UTC)
    ours, theirs = enqueue_twice(client, call, batch=batch)

    assert type(ours) is type(theirs)
    assert members(ours) == members(theirs)
    assert columns(ours.db_result) == columns(theirs.db_result)
    for name in ("adding", "db"):
        assert getattr(ours.db_result._state, name) == getattr(theirs.db_result._state, name)
    stored, other = (DBTaskResult.objects.get(pk=each.id) for each in (ours, theirs))
    assert columns(stored) == columns(other)
    assert before <= stored.enqueued_at == ours.enqueued_at <= datetime.now(UTC)
    ours.refresh()
    assert members(ours) == members(stored.task_result)


JSON = st.recursive(
    SCALARS,
    lambda each: st.lists(each) | st.dictionaries(st.text("abc%'\\\"é "), each),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(JSON)
def test_any_json_is_stored_as_enqueue_stores_it(client: Client, value: Any) -> None:
    call = {"task": "tests.tasks.give_back", "args": [value]}
    ours, theirs = enqueue_twice(client, call, batch=False)
    stored, other = (DBTaskResult.objects.get(pk=each.id) for each in (ours, theirs))

    assert json.dumps(stored.args_kwargs) == json.dumps(other.args_kwargs)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("signal", [pre_save, post_save])
def test_receivers_of_the_models_signals_see_each_row(
    client: Client, signal: Any, batch: bool
) -> None:
    seen: list[Any] = []

    def note(sender: type, instance: Any, **_: Any) -> None:
        if sender is DBTaskResult:
            seen.append(instance)

    with connected(signal, note):
        ours, theirs = enqueue_twice(client, CALLS[0], batch=batch)

    assert [str(row.pk) for row in seen] == [ours.id, theirs.id]


def wrapped(method: Any, calls: list[Any]) -> Any:
    """Wrap a method as tools do that trace calls."""

    @wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(method.__name__)
        return method(self, *args, **kwargs)

    return wrapper


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Task, "enqueue"),
        (DatabaseBackend, "enqueue"),
        (DatabaseBackend, "validate_task"),
        (BaseTaskBackend, "validate_task"),
    ],
)
def test_what_wraps_a_method_is_called(
    client: Client, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, batch: bool
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(kind, name, wrapped(getattr(kind, name), calls))
    enqueue_twice(client, CALLS[0], batch=batch)
    monkeypatch.undo()

    # One of them is called more than once for a task.
    assert calls == [name] * len(calls)
    assert len(calls) >= 2


def test_what_wrapped_a_method_before_we_were_imported_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DatabaseBackend, "enqueue", wrapped(DatabaseBackend.enqueue, []))
    spec = spec_from_file_location("imported_later", storing.__file__)
    assert spec is not None
    assert spec.loader is not None
    imported_later = module_from_spec(spec)
    spec.loader.exec_module(imported_later)

    assert not imported_later.stores_as_upstream(default_task_backend)
    monkeypatch.undo()
    assert imported_later.stores_as_upstream(default_task_backend)


def test_without_receivers_django_still_logs_it(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="django.tasks"):
        task = client.post("/tasks/", json.dumps(CALLS[0]), content_type="application/json").json()

    assert f"Task id={task['id']} path=tests.tasks.return_null enqueued" in caplog.text
