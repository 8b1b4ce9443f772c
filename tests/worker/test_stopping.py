"""A task that takes too long, or that a client cancels while it runs, comes to one end, and soon."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from django.utils import timezone

from tasks_api.models import TaskRun
from tests.worker.conftest import ALIAS, Store, Workers, wait_until

CANCELLED = "tasks_api.exceptions.TaskCancelled"
TIMED_OUT = "tasks_api.exceptions.TaskTimedOut"


def cancel(task_id: str) -> None:
    """Write what `POST /tasks/{id}/cancel/` writes for a task that runs."""
    TaskRun.objects.using(ALIAS).update_or_create(
        task_id=task_id, defaults={"cancel_requested_at": timezone.now()}
    )


def begin_and_cancel(
    store: Store, directory: Path, name: str, ways: Collection[str]
) -> dict[str, Any]:
    """Have a task of each way run at the same time, and cancel all; return their rows."""
    marks = {how: directory / f"{name} {how}" for how in ways}
    task_ids = {how: store.enqueue(name, str(marks[how]), how) for how in ways}
    for how in ways:
        wait_until(marks[how].exists, what=f"begin of {how!r}")
        cancel(task_ids[how])
    ended = {how: store.wait_for(task_id) for how, task_id in task_ids.items()}
    assert {how: (task.status, task.exception_class_path) for how, task in ended.items()} == (
        dict.fromkeys(ways, ("FAILED", CANCELLED))
    )
    return {how: (ended[how].traceback, marks[how].read_text()) for how in ways}


def test_tasks_that_take_too_long_time_out_and_clean_up(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    names = ("take_too_long", "take_too_long_asynchronously")
    task_ids = {name: store.enqueue(name, str(tmp_path / name)) for name in names}
    following = store.enqueue("add", 1, 2)
    workers.start()

    for name, task_id in task_ids.items():
        task = store.wait_for(task_id)
        assert (task.status, task.exception_class_path) == ("FAILED", TIMED_OUT)
        assert "longer than 0.5 seconds" in task.traceback
        assert (tmp_path / name).read_text() == "cleaned up"
    assert store.wait_for(following).worker_ids == task.worker_ids


def test_a_running_task_is_cancelled_within_its_own_code(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    ways = ["sleep", "compute", "lock", "program"]
    if store.url.startswith("postgres"):
        ways += ["query", "transaction"]
    workers.start_and_wait(f"--processes={len(ways)}")

    for traceback, mark in begin_and_cancel(store, tmp_path, "wait_until_cancelled", ways).values():
        assert "TaskCancelled: The task was cancelled while it ran." in traceback
        assert mark == "ended by TaskCancelled"
    assert store.workers.count() == len(ways)


def test_a_running_task_that_does_not_end_is_ended_with_its_process(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    ways = ["swallow", "block signals", "in C"]
    if store.url.startswith("sqlite"):
        # SQLite does not let Python look at signals before the end of a statement.
        ways.append("query")
    workers.start_and_wait(f"--processes={len(ways)}")

    for traceback, mark in begin_and_cancel(store, tmp_path, "wait_until_cancelled", ways).values():
        assert "did not end within 1 seconds of being told to" in traceback
        assert mark == "begun"
    assert store.wait_for(store.enqueue("add", 1, 2)).return_value == 3


def test_a_running_coroutine_is_cancelled(store: Store, workers: Workers, tmp_path: Path) -> None:
    name = "wait_until_cancelled_asynchronously"
    ways = ["sleep", "gather", "compute", "swallow", "query"]
    workers.start_and_wait(f"--processes={len(ways)}")

    ended = begin_and_cancel(store, tmp_path, name, ways)

    marks = {how: mark for how, (_, mark) in ended.items()}
    assert marks.pop("query").startswith("ended by ")
    assert marks == {
        "sleep": "ended by CancelledError",
        "gather": "ended by CancelledError",
        "compute": "ended by TaskCancelled",
        "swallow": "begun",
    }
