"""An attempt that fails is followed by another, as the policy says; each error is kept."""

from pathlib import Path

import pytest

from tasks_api.models import TaskRun
from tests.worker.conftest import ALIAS, Store, Workers, wait_until


def test_an_attempt_that_fails_is_followed_by_another_until_one_succeeds(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    task_id = store.enqueue("fail_until", str(tmp_path / "mark"), 3)
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
    task_id = store.enqueue("fail_until", str(tmp_path / "mark"), 9)
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", "builtins.ValueError")
    assert "attempt 3" in task.traceback
    assert len(TaskRun.objects.using(ALIAS).get(pk=task_id).errors) == 2


@pytest.mark.parametrize(("kind", "attempts"), [("FileNotFoundError", 3), ("KeyError", 1)])
def test_only_named_exceptions_and_their_subclasses_are_followed_by_another_attempt(
    store: Store, workers: Workers, kind: str, attempts: int
) -> None:
    task_id = store.enqueue("fail_with", kind)
    workers.start()

    task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", f"builtins.{kind}")
    assert len(task.worker_ids) == attempts
