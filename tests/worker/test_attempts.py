"""An attempt that fails is followed by another, as the policy says; each error is kept."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks_api.models import TaskRun
from tasks_api.timestamps import timestamp
from tests.worker.conftest import ALIAS, ATTEMPT_TASKS, Store, Workers, cancel, wait_until


def test_an_attempt_that_fails_is_followed_by_another_until_one_succeeds(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_until", str(tmp_path / "mark"), 3)
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.return_value, len(task.worker_ids)) == ("SUCCESSFUL", 3, 3)
    run = TaskRun.objects.using(ALIAS).get(pk=task_id)
    assert [(error["attempt"], error["worker_id"]) for error in run.errors] == [
        (1, task.worker_ids[0]),
        (2, task.worker_ids[1]),
    ]
    assert all(error["exception_class_path"] == "builtins.ValueError" for error in run.errors)
    assert "attempt 2" in run.errors[1]["traceback"]
    assert run.started_at < task.started_at
    wait_until(lambda: f"SIGNAL finished {task_id}" in workers.log(), what="signal")
    assert workers.log().count(f"SIGNAL finished {task_id}") == 1


def test_the_last_attempts_failure_is_the_tasks(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_until", str(tmp_path / "mark"), 9)
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", "builtins.ValueError")
    assert "attempt 3" in task.traceback
    assert len(TaskRun.objects.using(ALIAS).get(pk=task_id).errors) == 2


@pytest.mark.parametrize(("kind", "attempts"), [("FileNotFoundError", 3), ("KeyError", 1)])
def test_only_named_exceptions_and_their_subclasses_are_followed_by_another_attempt(
    store: Store, workers: Workers, kind: str, attempts: int
) -> None:
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_with", kind)
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", f"builtins.{kind}")
    assert len(task.worker_ids) == attempts


def test_a_call_may_ask_for_fewer_attempts_than_the_policy(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    args_kwargs = {
        "args": [str(tmp_path / "mark"), 3],
        "kwargs": {},
        "call": {"max_attempts": 2},
    }
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_until", args_kwargs=args_kwargs)
    workers.start()

    assert len(store.wait_for(task_id).worker_ids) == 2


def test_an_attempt_that_took_too_long_is_followed_by_another_where_the_policy_names_that(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    task_id = store.enqueue(ATTEMPT_TASKS + "take_too_long_at_first", str(tmp_path / "mark"))
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.return_value, len(task.worker_ids)) == ("SUCCESSFUL", "in time", 2)
    [error] = TaskRun.objects.using(ALIAS).get(pk=task_id).errors
    assert error["exception_class_path"] == "tasks_api.exceptions.TaskTimedOut"


def test_a_cancelled_task_that_fails_by_itself_is_not_tried_again(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    mark, go = tmp_path / "mark", tmp_path / "go"
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_once_told", str(mark), str(go))
    parent = workers.start_and_wait()
    wait_until(mark.exists, what="begin of the task")
    with workers.stopped(parent):
        cancel(task_id)
        go.touch()
        task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", "builtins.ValueError")
    assert len(task.worker_ids) == 1


def test_all_errors_of_a_task_together_are_bounded(store: Store, workers: Workers) -> None:
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_again_at_length", 50_000)
    workers.run_batch()
    wait_until(lambda: store.get(task_id).status == "FAILED", what="end of the task")

    errors = TaskRun.objects.using(ALIAS).get(pk=task_id).errors
    assert [error["attempt"] for error in errors] == list(range(1, 25))
    assert all("characters left out" in error["traceback"] for error in errors)
    assert len(json.dumps(errors)) <= 256 * 1024


def test_a_task_that_would_expire_before_its_next_attempt_fails_at_once(
    store: Store, workers: Workers
) -> None:
    in_a_minute = timestamp(datetime.now(UTC) + timedelta(seconds=60))
    args_kwargs = {"args": [], "kwargs": {}, "call": {"expires_at": in_a_minute}}
    task_id = store.enqueue(ATTEMPT_TASKS + "fail_after_an_hour_again", args_kwargs=args_kwargs)
    workers.start()

    task = store.wait_for(task_id)

    assert (task.exception_class_path, len(task.worker_ids)) == ("builtins.ValueError", 1)


def test_the_policy_of_a_lost_task_is_known_where_nothing_else_has_imported_its_code(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    task_id = store.enqueue("tests.worker.unlisted_tasks.die_at_first", str(tmp_path / "mark"))
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.return_value, len(task.worker_ids)) == ("SUCCESSFUL", "second", 2)


def test_a_row_with_other_arguments_than_a_calls_fails_and_keeps_its_worker(
    store: Store, workers: Workers
) -> None:
    task_id = store.enqueue("add", args_kwargs=[1, 2])
    workers.start()

    assert store.wait_for(task_id).exception_class_path == "builtins.TypeError"
    assert len(store.wait_for(store.enqueue("add", 1, 2)).worker_ids) == 1
    assert "ended with status" not in workers.log()
