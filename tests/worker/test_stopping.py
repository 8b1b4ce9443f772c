"""A task that takes too long, or that a client cancels while it runs, comes to one end, and soon."""

import random
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.worker.conftest import ATTEMPT_TASKS, Store, Workers, cancel, wait_until

CANCELLED = "tasks_api.exceptions.TaskCancelled"
TIMED_OUT = "tasks_api.exceptions.TaskTimedOut"


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
    names = (ATTEMPT_TASKS + "take_too_long", ATTEMPT_TASKS + "take_too_long_asynchronously")
    task_ids = {name: store.enqueue(name, str(tmp_path / name)) for name in names}
    following = store.enqueue("add", 1, 2)
    workers.start()

    for name, task_id in task_ids.items():
        task = store.wait_for(task_id)
        assert (task.status, task.exception_class_path) == ("FAILED", TIMED_OUT)
        assert "longer than 0.5 s." in task.traceback
        assert (tmp_path / name).read_text() == "cleaned up"
    assert store.wait_for(following).worker_ids == task.worker_ids


def test_a_running_task_is_cancelled_within_its_own_code(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    ways = ["sleep", "compute", "lock", "program"]
    if store.url.startswith("postgres"):
        ways += ["query", "transaction", "broken transaction"]
    workers.start_and_wait(f"--processes={len(ways)}")

    for how, (traceback, mark) in begin_and_cancel(
        store, tmp_path, ATTEMPT_TASKS + "wait_until_cancelled", ways
    ).items():
        assert "TaskCancelled: The task was cancelled while it ran." in traceback
        # What its `finally` block makes of a connection that is gone is not what ended it.
        error = "OperationalError" if how == "broken transaction" else "TaskCancelled"
        assert mark == f"ended by {error}"
    assert store.workers.count() == len(ways)


def test_a_running_task_that_does_not_end_is_ended_with_its_process(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    ways = ["swallow", "block signals", "in C", "other group"]
    if store.url.startswith("sqlite"):
        # SQLite does not let Python look at signals before the end of a statement.
        ways.append("query")
    workers.start_and_wait(f"--processes={len(ways)}")

    for traceback, mark in begin_and_cancel(
        store, tmp_path, ATTEMPT_TASKS + "wait_until_cancelled", ways
    ).values():
        assert "did not end within 1 s of being told to" in traceback
        assert mark == "begun"
    assert store.wait_for(store.enqueue("add", 1, 2)).return_value == 3


def test_a_running_coroutine_is_cancelled(store: Store, workers: Workers, tmp_path: Path) -> None:
    name = ATTEMPT_TASKS + "wait_until_cancelled_asynchronously"
    ways = ["sleep", "gather", "yield", "compute", "group", "swallow", "query"]
    workers.start_and_wait(f"--processes={len(ways)}")

    ended = begin_and_cancel(store, tmp_path, name, ways)

    marks = {how: mark for how, (_, mark) in ended.items()}
    assert marks.pop("query").startswith("ended by ")
    assert marks.pop("yield") in {"ended by CancelledError", "ended by TaskCancelled"}
    assert marks == {
        "sleep": "ended by CancelledError",
        "gather": "ended by CancelledError",
        "compute": "ended by TaskCancelled",
        "group": "ended by BaseExceptionGroup",
        "swallow": "begun",
    }


def test_a_coroutine_finds_no_other_tasks_in_its_event_loop(store: Store, workers: Workers) -> None:
    task_id = store.enqueue(ATTEMPT_TASKS + "wait_for_all_others")
    workers.start()

    assert store.wait_for(task_id).return_value == "beside"


def test_of_hundreds_of_tasks_that_end_about_when_they_must_each_ends_once(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    chance = random.Random(time.time_ns())  # noqa: S311
    kinds = (
        [ATTEMPT_TASKS + "race_with_time_limit"] * 6
        + [ATTEMPT_TASKS + "race_asynchronously"] * 4
        + [ATTEMPT_TASKS + "race_with_grace"]
    )
    lengths = {
        ATTEMPT_TASKS + "race_with_time_limit": (0.03, 0.07),
        ATTEMPT_TASKS + "race_asynchronously": (0.03, 0.07),
        ATTEMPT_TASKS + "race_with_grace": (0.08, 0.12),
    }
    racing: dict[str, Path] = {}
    innocent: list[str] = []
    for number in range(250):
        name, mark = chance.choice(kinds), tmp_path / str(number)
        racing[store.enqueue(name, str(mark), chance.uniform(*lengths[name]))] = mark
        innocent.append(store.enqueue("add", number, 1))
    workers.start("--processes=2")

    wait_until(
        lambda: not store.tasks.filter(status__in=["READY", "RUNNING"]).exists(), what="all ends"
    )
    tasks = {str(task.pk): task for task in store.tasks.all()}
    log = workers.log()
    assert {tasks[task_id].status for task_id in innocent} == {"SUCCESSFUL"}
    for task_id, mark in racing.items():
        task = tasks[task_id]
        assert task.exception_class_path in {"", TIMED_OUT}
        # A stop may still come between the last line of a task and its end.
        assert task.status == "FAILED" or mark.exists()
    wait_until(lambda: workers.log().count("SIGNAL finished") == len(tasks), what="signals")
    assert all(workers.log().count(f"SIGNAL finished {task_id} ") == 1 for task_id in tasks), log
    ends = Counter(tasks[task_id].status for task_id in racing)
    assert ends["SUCCESSFUL"]
    assert ends["FAILED"]
