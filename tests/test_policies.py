"""Policies: how often a task is tried, said at its function and in settings."""

import math
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from django.tasks import Task, TaskResultStatus, task
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tasks_api import policies
from tasks_api.calls.registry import registry
from tasks_api.exceptions import TaskCancelled, TaskExpired, TaskTimedOut, WorkerLost
from tasks_api.ids import new_task_id
from tasks_api.models import Worker
from tasks_api.policies import Policy, policies_said_at_functions, policy, policy_of
from tasks_api.policy_options import MAX_SECONDS, BackoffOptions, options_from, path_of
from tasks_api.typed import typed
from tests import tasks
from tests.rows import task_row
from tests.task_backends import DUMMY, IMMEDIATE

LOST, TIMED_OUT = WorkerLost.class_path(), TaskTimedOut.class_path()
NAME = "shop.tasks.refund"


@pytest.fixture(autouse=True)
def own_policies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test says at functions of its own is forgotten with it."""
    monkeypatch.setattr(policies, "_said_at_functions", dict(policies_said_at_functions()))
    yield
    policy_of.cache_clear()


def say(**options: Any) -> None:
    """Say a policy at a function that is called `NAME`."""

    def refund() -> None: ...

    refund.__module__, _, refund.__qualname__ = NAME.rpartition(".")
    policy(**options)(refund)


def configured(patterns: dict[str, Any] | None = None, **others: Any) -> Any:
    return override_settings(TASKS_API={"POLICIES": patterns or {}, **others})


def kinds(error: type[BaseException]) -> list[str]:
    return [path_of(kind) for kind in error.__mro__ if issubclass(kind, BaseException)]


# What can be said.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"retries": 1},
            "retries: unknown; allowed: max_attempts, backoff, retry_on, timeout_seconds, "
            "stop_grace_seconds",
        ),
        ({"max_attempts": 0}, "max_attempts: should be greater than or equal to 1"),
        ({"max_attempts": 26}, "max_attempts: should be less than or equal to 25"),
        ({"max_attempts": True}, "max_attempts: should be a whole number"),
        ({"max_attempts": "3"}, "max_attempts: should be a whole number"),
        ({"max_attempts": 3.0}, "max_attempts: should be a whole number"),
        ({"timeout_seconds": 0}, "timeout_seconds: should be greater than 0"),
        ({"timeout_seconds": math.nan}, "timeout_seconds: should be a finite number"),
        ({"timeout_seconds": "30"}, "timeout_seconds: should be a number"),
        ({"timeout_seconds": True}, "timeout_seconds: should be a number"),
        ({"timeout_seconds": 10**9}, "timeout_seconds: should be less than or equal to 604800"),
        ({"stop_grace_seconds": -1}, "stop_grace_seconds: should be greater than 0"),
        ({"backoff": 5}, "backoff: should be a dict of initial, factor, max, jitter"),
        (
            {"backoff": {"initail": 5}},
            "backoff.initail: unknown; allowed: initial, factor, max, jitter",
        ),
        ({"backoff": {"initial": None}}, "backoff.initial: should be a number"),
        ({"backoff": {"initial": math.inf}}, "backoff.initial: should be a finite number"),
        ({"backoff": {"factor": 0.5}}, "backoff.factor: should be greater than or equal to 1"),
        ({"backoff": {"jitter": 2}}, "backoff.jitter: should be less than or equal to 1"),
        ({"retry_on": OSError}, "retry_on: should be a list of exceptions"),
        ({"retry_on": "builtins.OSError"}, "retry_on: should be a list of exceptions"),
        *(
            (
                {"retry_on": [OSError, wrong]},
                "retry_on.1: should be the dotted path of an exception, such as builtins.OSError",
            )
            for wrong in ("OSError", "builtins.", "os system", int, None)
        ),
        (
            {"max_attempts": 0, "timeout_seconds": 0},
            "max_attempts: should be greater than or equal to 1; timeout_seconds: should be greater than 0",
        ),
    ],
)
def test_a_wrong_option_is_told_with_what_would_be_right(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        options_from(options)
    with pytest.raises(ImproperlyConfigured) as improper:
        policy(**options)
    assert str(improper.value) == f"@policy: {message}"


def test_an_exception_is_named_by_its_class_or_by_its_path() -> None:
    say(retry_on=(OSError, "decimal.InvalidOperation", models.ObjectDoesNotExist))

    assert policy_of(NAME).retry_on == (
        "builtins.OSError",
        "decimal.InvalidOperation",
        "django.core.exceptions.ObjectDoesNotExist",
    )


# Where it is said.


def test_without_a_policy_a_task_is_tried_once_and_takes_as_long_as_it_takes() -> None:
    assert policy_of("os.system") == Policy()
    assert Policy() == Policy(
        max_attempts=1,
        backoff=BackoffOptions(initial=5, factor=2, max=600, jitter=0.1),
        retry_on=None,
        timeout_seconds=None,
        stop_grace_seconds=10,
    )


def test_a_setting_overrides_a_function_and_a_later_pattern_an_earlier_one_key_by_key() -> None:
    say(max_attempts=5, timeout_seconds=30, backoff={"initial": 1, "max": 9})
    patterns = {
        "shop.*": {"max_attempts": 3, "backoff": {"factor": 3}, "stop_grace_seconds": 1},
        "other.*": {"max_attempts": 9},
        "*.refund": {"stop_grace_seconds": 2, "backoff": {"max": 8}},
    }

    with configured(patterns):
        assert policy_of(NAME) == Policy(
            max_attempts=3,
            backoff=BackoffOptions(initial=1, factor=3, max=8),
            timeout_seconds=30,
            stop_grace_seconds=2,
        )
    with configured(dict(reversed(patterns.items()))):
        assert policy_of(NAME).stop_grace_seconds == 1
    assert policy_of(NAME).max_attempts == 5


def test_none_takes_back_what_was_said() -> None:
    say(max_attempts=5, timeout_seconds=30, retry_on=[OSError], backoff={"initial": 0, "max": 9})

    with configured({"*": dict.fromkeys(["timeout_seconds", "retry_on", "max_attempts"])}):
        taken_back = policy_of(NAME)
    with configured({"shop.*": {"backoff": None}, "*": {"backoff": {"max": 8}}}):
        backoff = policy_of(NAME).backoff

    assert taken_back == Policy(backoff=BackoffOptions(initial=0, max=9))
    assert backoff == BackoffOptions(max=8)


def test_patterns_distinguish_case() -> None:
    with configured({"Shop.*": {"max_attempts": 2}}):
        assert policy_of(NAME).max_attempts == 1


@pytest.mark.parametrize(
    ("said", "attempts", "retry_on", "initial"),
    [
        ({}, 2, (LOST,), 0),
        ({"retry_on": [OSError], "backoff": {"initial": 7}}, 2, (LOST,), 7),
        ({"max_attempts": 1}, 1, ("builtins.BaseException", LOST), 5),
        ({"max_attempts": 4}, 4, ("builtins.BaseException", LOST), 5),
        ({"max_attempts": 4, "retry_on": [OSError]}, 4, ("builtins.OSError", LOST), 5),
        ({"max_attempts": 4, "retry_on": [WorkerLost]}, 4, (LOST,), 5),
        ({"max_attempts": 4, "retry_on": []}, 4, (LOST,), 5),
    ],
)
def test_requeue_when_lost_is_a_second_attempt_or_one_of_those_that_there_are(
    said: dict[str, Any], attempts: int, retry_on: tuple[str, ...], initial: float
) -> None:
    say(**said)

    with configured(REQUEUE_WHEN_LOST=["shop.*"]):
        found = policy_of(NAME)

    assert (found.max_attempts, found.retry_on) == (attempts, retry_on)
    assert found.backoff.initial == initial
    assert found.retries(kinds(WorkerLost))
    assert not policy_of(NAME).retries(kinds(WorkerLost)) or WorkerLost in said["retry_on"]


def test_above_task_it_is_refused_with_the_place_where_it_belongs() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        policy(max_attempts=2)(tasks.echo)

    assert str(refused.value) == (
        "@policy belongs below @task: tests.tasks.echo is a task already."
    )
    assert policy_of("tests.tasks.echo") == Policy()


@task
@policy(max_attempts=2)
@typed
def above_typed(number: int) -> list[int]:
    return [number]


@task
@typed
@policy(max_attempts=3)
def below_typed(number: int) -> list[int]:
    return [number]


@task
@policy(max_attempts=4)
async def later(number: int) -> list[int]:
    return [number]


@pytest.mark.parametrize("backend", [IMMEDIATE, DUMMY])
@pytest.mark.parametrize(("one", "attempts"), [(above_typed, 2), (below_typed, 3), (later, 4)])
def test_the_same_code_runs_on_backends_without_policies(
    backend: str, one: "Task[..., Any]", attempts: int
) -> None:
    with override_settings(TASKS={"default": {"BACKEND": backend}}):
        results = one.enqueue(1), async_to_sync(one.aenqueue)(number=1)

    assert policy_of(one.module_path).max_attempts == attempts
    for result in results:
        if backend == IMMEDIATE:
            assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, [1])
        else:
            assert result.status == TaskResultStatus.READY


# After what there is another attempt.


class OutOfStock(LookupError):
    """What a task raises."""


@pytest.mark.parametrize(
    ("retry_on", "error", "is_retried"),
    [
        (None, OutOfStock, True),
        (None, SystemExit, True),
        ((), OutOfStock, False),
        (("builtins.LookupError",), OutOfStock, True),
        (("builtins.OSError", "builtins.LookupError"), KeyError, True),
        (("builtins.KeyError",), LookupError, False),
        (("builtins.Exception",), SystemExit, False),
        (None, WorkerLost, False),
        (None, TaskTimedOut, False),
        (("builtins.BaseException", "tasks_api.exceptions.TaskEnded"), WorkerLost, False),
        (("builtins.BaseException", "tasks_api.exceptions.TaskEnded"), TaskTimedOut, False),
        ((LOST,), WorkerLost, True),
        ((LOST,), TaskTimedOut, False),
        ((TIMED_OUT,), TaskTimedOut, True),
        ((LOST,), OutOfStock, False),
        (None, TaskCancelled, False),
        (("builtins.BaseException", TaskCancelled.class_path()), TaskCancelled, False),
        (("builtins.BaseException", TaskExpired.class_path()), TaskExpired, False),
    ],
)
def test_retry_on_counts_subclasses_but_not_what_only_its_own_name_stands_for(
    retry_on: tuple[str, ...] | None, error: type[BaseException], is_retried: bool
) -> None:
    assert Policy(max_attempts=2, retry_on=retry_on).retries(kinds(error)) is is_retried


# How long it waits.

seconds = st.floats(0, MAX_SECONDS)
backoffs = st.builds(
    BackoffOptions, initial=seconds, factor=st.floats(1, 100), max=seconds, jitter=st.floats(0, 1)
)


@given(backoff=backoffs, attempt=st.integers(1, 10**9))
def test_a_pause_is_within_the_jitter_and_never_longer_than_the_longest(
    backoff: BackoffOptions, attempt: int
) -> None:
    exact = Policy(backoff=backoff.model_copy(update={"jitter": 0})).pause_after(attempt)
    pause = Policy(backoff=backoff).pause_after(attempt)

    assert 0 <= exact <= backoff.max
    assert pause <= backoff.max
    shortest, longest = exact * (1 - backoff.jitter), exact * (1 + backoff.jitter)
    assert shortest - 1e-6 <= pause <= longest + 1e-6


@given(backoff=backoffs, attempt=st.integers(1, 10**6))
def test_without_jitter_pauses_grow_by_the_factor_up_to_the_longest(
    backoff: BackoffOptions, attempt: int
) -> None:
    exact = Policy(backoff=backoff.model_copy(update={"jitter": 0}))
    first, second = exact.pause_after(attempt), exact.pause_after(attempt + 1)

    assert exact.pause_after(1) == min(backoff.initial, backoff.max)
    assert second >= first
    assert second <= first * backoff.factor * (1 + 1e-9)
    if attempt < 25:
        # As many as there can be.
        assert second == pytest.approx(min(first * backoff.factor, backoff.max))


def test_pauses_at_the_longest_differ_too() -> None:
    at_most = Policy(backoff=BackoffOptions(initial=600, max=600, jitter=0.1))
    pauses = {at_most.pause_after(20) for _ in range(20)}

    assert len(pauses) > 1
    assert all(540 <= pause <= 600 for pause in pauses)


# System checks.


def found(check: str, *, databases: list[str] | None = None) -> list[CheckMessage]:
    return [one for one in run_checks(databases=databases) if one.id == f"tasks_api.{check}"]


# One of Django's own checks asks SQLite for JSON.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("shop.errors.OutOfStock", "cannot be imported: No module named 'shop'"),
        ("builtins.OutOfStock", "cannot be imported: module 'builtins' has no attribute"),
        ("builtins.int", "is no exception"),
        ("django.conf.settings", "is no exception"),
        ("django.db.OperationalError", "is django.db.utils.OperationalError"),
    ],
)
def test_an_exception_that_is_never_raised_under_its_path_is_reported(
    path: str, reason: str
) -> None:
    say(max_attempts=2, retry_on=["builtins.OSError", path])
    with configured({"tests.tasks.*": {"retry_on": [path, "builtins.OSError"]}}):
        reported = [str(one.msg) for one in found("E011")]

    assert len(reported) == 2
    assert reported[0].startswith(f"@policy at {NAME} retries on {path}, which {reason}")
    assert reported[1].startswith(
        f"TASKS_API['POLICIES']['tests.tasks.*'] retries on {path}, which {reason}"
    )


@pytest.mark.django_db
def test_exceptions_of_classes_within_classes_are_found() -> None:
    say(retry_on=[Worker.DoesNotExist, "django.db.utils.OperationalError", WorkerLost])

    assert found("E011") == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"retry_on": [OSError]},
            "TASKS_API['POLICIES']['tests.tasks.echo'] has retry_on, but allows one attempt",
        ),
        (
            {"backoff": {}, "retry_on": []},
            "TASKS_API['POLICIES']['tests.tasks.echo'] has backoff and retry_on, but allows one attempt",
        ),
        (
            {"max_attempts": 2, "retry_on": []},
            "The policy of tests.tasks.echo allows 2 attempts, but its retry_on names nothing",
        ),
        (
            {"max_attempts": 3, "retry_on": [TaskCancelled, TaskExpired]},
            "The policy of tests.tasks.echo allows 3 attempts, but its retry_on names nothing",
        ),
        ({"max_attempts": 3, "retry_on": [TaskCancelled, OSError]}, None),
        ({"max_attempts": 1, "retry_on": [OSError]}, None),
        ({"max_attempts": 3}, None),
        ({"retry_on": None, "timeout_seconds": 3}, None),
    ],
)
def test_a_policy_that_allows_no_other_attempt_although_it_seems_so_is_reported(
    said: dict[str, Any], message: str | None
) -> None:
    with configured({"tests.tasks.echo": said}):
        reported = [str(one.msg) for one in found("W007")]

    assert len(reported) == (0 if message is None else 1)
    if message:
        assert reported[0].startswith(message)


@pytest.mark.django_db
def test_a_pattern_may_say_for_many_tasks_what_counts_for_one_of_them() -> None:
    backoff = {"tests.tasks.ech?": {"backoff": {"initial": 1}}}
    with configured(backoff):
        (message,) = found("W007")
    with configured({**backoff, "tests.tasks.echo": {"max_attempts": 2}}):
        assert found("W007") == []

    assert str(message.msg).startswith("TASKS_API['POLICIES']['tests.tasks.ech?'] has backoff")


@pytest.mark.django_db
def test_a_policy_at_a_function_that_is_no_task_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("bakery")
    monkeypatch.setitem(sys.modules, "bakery", module)

    def bake(name: str) -> Any:
        def function() -> None: ...

        function.__module__, function.__qualname__, function.__name__ = "bakery", name, name
        return policy(max_attempts=2)(function)

    module.forgotten = bake("forgotten")  # type: ignore[attr-defined]
    function = bake("decorated")
    module.decorated = function  # type: ignore[attr-defined]
    module.decorated = task(function)  # type: ignore[attr-defined]
    bake("removed")
    say(max_attempts=2)
    reported = [str(one.msg) for one in found("W008") if "bakery" in str(one.msg)]

    assert reported == ["@policy at bakery.forgotten applies to nothing: that is no task."]


@pytest.mark.django_db
def test_tasks_that_other_workers_run_are_reported() -> None:
    ours, other, waiting, done = rows = [
        task_row(status=status) for status in ("RUNNING", "RUNNING", "READY", "SUCCESSFUL")
    ]
    type(ours).objects.bulk_create(rows)
    Worker.objects.create(worker_id="a", hostname="h", pid=1, current_task=ours.pk)
    Worker.objects.create(worker_id="b", hostname="h", pid=2, current_task=done.pk)
    Worker.objects.create(worker_id="c", hostname="h", pid=3)

    (message,) = found("W009", databases=["default"])
    assert str(message.msg).startswith("1 task is RUNNING in no worker of this app")
    assert "db_worker" in str(message.hint)
    # Checks that ask a database do so only where they are told to.
    assert found("W009") == []
    Worker.objects.create(worker_id="d", hostname="h", pid=4, current_task=other.pk)
    assert found("W009", databases=["default"]) == []
    assert waiting.pk != other.pk


@pytest.mark.django_db
def test_of_many_running_tasks_the_newest_are_looked_at_by_one_index() -> None:
    row = type(task_row())
    row.objects.bulk_create(task_row(status="RUNNING", id=new_task_id()) for _ in range(130))
    row.objects.bulk_create(task_row(status="SUCCESSFUL") for _ in range(2000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        (message,) = found("W009", databases=["default"])

    assert str(message.msg).startswith("100 tasks are RUNNING in no worker")
    (statement,) = [one["sql"] for one in queries.captured_queries if "current_task" in one["sql"]]
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {statement}")
        plan = str(cursor.fetchall())
    assert "tasks_api_status_id" in plan, plan


@pytest.mark.django_db(transaction=True)
def test_before_the_first_migration_no_worker_is_looked_for() -> None:
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    executor.migrate([("tasks_api", None)])
    try:
        assert found("W009", databases=["default"]) == []
    finally:
        MigrationExecutor(connection).migrate(latest)


@pytest.mark.django_db
def test_a_backend_without_a_table_has_no_tasks_of_other_workers() -> None:
    with override_settings(TASKS={"default": {"BACKEND": DUMMY}}):
        assert found("W009", databases=["default"]) == []


def test_the_policies_of_the_tests_are_of_tasks() -> None:
    assert "tests.tasks.is_tried_again" in registry.discovered
    assert policy_of("tests.tasks.is_tried_again").max_attempts == 3
