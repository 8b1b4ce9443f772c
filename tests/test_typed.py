"""Tasks that are `@typed`, on every kind of backend, enqueued over HTTP and by Django code."""

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from inspect import iscoroutinefunction, signature
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.tasks import Task, TaskResultStatus, task
from django.test import override_settings

from tasks_api.exceptions import ArgumentsDoNotFit
from tasks_api.typed import aenqueue, enqueue, typed
from tests import tasks
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService
from tests.task_backends import IMMEDIATE

AT = "2026-11-22T09:00:00Z"
MOMENT = datetime(2026, 11, 22, 9, tzinfo=UTC)
ORDER = {"loaves": 2, "size": "batch"}
RECEIPT = {"orders": [ORDER], "ready_at": "2026-11-22T09:30:00Z", "notes": []}


@pytest.fixture
def immediate() -> Iterator[None]:
    with override_settings(TASKS={"default": {"BACKEND": IMMEDIATE}}):
        yield


def test_a_call_over_http_arrives_typed_and_its_result_is_json(service: LiveService) -> None:
    done = service.run_task("tests.tasks.book", AT, {**ORDER, "loaves": 2.0}, patience="PT30M")

    assert done["args"] == [AT, ORDER]
    assert done["kwargs"] == {"patience": "PT30M"}
    assert (done["return_value"], done["errors"]) == (RECEIPT, [])
    later = service.run_task("tests.tasks.book_later", order=ORDER, attempt=1)
    assert later["return_value"]["orders"] == [ORDER]
    assert later["return_value"]["ready_at"].endswith("Z")


def test_a_call_that_does_not_fit_is_refused_over_http(service: LiveService) -> None:
    call = {
        "task": "tests.tasks.book",
        "args": ["2026-11-22T09:00:00", {"loaves": 0, "size": "huge"}],
        "kwargs": {"patience": 30},
    }
    problem = assert_problem(service.post("/tasks/", call), 400, "invalid_arguments")

    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [
        ("/args/0", "date_time"),
        ("/args/1/loaves", "out_of_range"),
        ("/args/1/size", "enum"),
        ("/kwargs/patience", "duration"),
    ]


def test_the_task_type_describes_the_json_of_the_result(service: LiveService) -> None:
    described = service.get("/task-types/tests.tasks.book/").json()

    result = described["return_value"]
    assert result["properties"]["ready_at"] == {"type": "string", "format": "date-time"}
    assert result["required"] == ["orders", "ready_at"]
    assert described["description"] == "Book orders."
    later = service.get("/task-types/tests.tasks.book_later/").json()
    assert (later["is_async"], later["takes_context"]) == (True, True)
    assert list(later["arguments"]["properties"]["kwargs"]["properties"]) == ["order", "attempt"]


def test_a_result_of_another_type_fails_the_task(service: LiveService) -> None:
    failed = service.run_task("tests.tasks.return_another_type")

    assert (failed["status"], failed["return_value"]) == ("FAILED", None)
    (error,) = failed["errors"]
    assert error["exception_class_path"] == "tasks_api.exceptions.ReturnValueDoesNotFit"
    assert "The return value of tests.tasks.return_another_type does not fit" in error["traceback"]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((MOMENT, tasks.Order(2, tasks.Size.BATCH)), {"patience": timedelta(minutes=30)}),
        # What is JSON already is taken too.
        ((AT, ORDER), {"patience": "PT30M"}),
    ],
)
@pytest.mark.usefixtures("immediate")
def test_django_code_enqueues_what_the_hints_say(args: Any, kwargs: Any) -> None:
    for result in (
        enqueue(tasks.book, *args, **kwargs),
        async_to_sync(aenqueue)(tasks.book, *args, **kwargs),
    ):
        assert result.return_value == RECEIPT
        assert result.args == [AT, ORDER]
        assert result.kwargs == {"patience": "PT30M"}


@pytest.mark.usefixtures("immediate")
def test_the_tasks_own_enqueue_takes_json() -> None:
    assert tasks.book.enqueue(AT, ORDER, patience="PT30M").return_value == RECEIPT
    assert tasks.book_later.enqueue(order=None, attempt=1).return_value["orders"] == []
    with pytest.raises(TypeError, match="Unsupported type"):
        tasks.book.enqueue(AT, tasks.Order(1))


@pytest.mark.usefixtures("immediate")
def test_nonsense_that_django_code_enqueues_fails_the_task_or_the_call() -> None:
    result = tasks.book.enqueue("tomorrow", {"loaves": 0})

    assert result.status == TaskResultStatus.FAILED
    [error] = result.errors
    assert error.exception_class is ArgumentsDoNotFit
    last = error.traceback.splitlines()[-1]
    assert last == (
        "tasks_api.exceptions.ArgumentsDoNotFit: The arguments of tests.tasks.book do not fit its "
        "hints. `at`: Should be an RFC 3339 date-time, such as 2026-11-22T09:00:00Z. `*orders`, at "
        "/0/loaves: Should be 1 or greater."
    )
    with pytest.raises(ArgumentsDoNotFit, match="`at`: Should be an RFC 3339 date-time"):
        enqueue(tasks.book, "tomorrow")
    with pytest.raises(ArgumentsDoNotFit, match="cannot be expressed in JSON"):
        enqueue(tasks.book, object())
    with pytest.raises(ArgumentsDoNotFit, match=r"`at`: Should be present\."):
        enqueue(tasks.book)


def test_only_typed_tasks_are_enqueued_with_what_their_hints_say() -> None:
    with pytest.raises(TypeError, match=r"tests.tasks.echo is not @typed"):
        enqueue(tasks.echo, 1)


def test_a_typed_function_can_be_called_in_tests() -> None:
    order = tasks.Order(2, tasks.Size.BATCH)

    assert tasks.book.call(MOMENT, order, patience=timedelta(minutes=30)) == RECEIPT


def test_to_django_a_typed_function_is_the_function() -> None:
    for one, is_async in ((tasks.book, False), (tasks.book_later, True)):
        assert iscoroutinefunction(one.func) == is_async
        assert signature(one.func) == signature(one.func.__wrapped__)
        assert one.module_path == f"tests.tasks.{one.name}"
        assert one.func.__doc__ == one.func.__wrapped__.__doc__
        assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301


def test_the_wrong_order_of_decorators_is_told() -> None:
    with pytest.raises(TypeError, match="place it below @task"):
        typed(tasks.echo)
    assert isinstance(task(typed(tasks.echo.func)), Task)
