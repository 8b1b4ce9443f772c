"""A worker that goes away leaves no task running, and one that comes back changes nothing."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from tests.worker.conftest import ALIAS, Store, Workers, wait_until

LOST = "tasks_api.exceptions.WorkerLost"


def kill_all(store: Store, parent, is_gone: Callable[[int], bool]) -> None:
    """End a parent and its children as a machine does that goes down: none can say a word."""
    pids = list(store.workers.values_list("pid", flat=True))
    # A stopped parent does not react to the end of its children.
    parent.send_signal(signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    parent.kill()
    parent.wait()
    wait_until(lambda: all(is_gone(pid) for pid in pids), what="end of the children")


def signal_all(pids: list[int], signum: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, signum)


def test_a_task_whose_machine_went_down_is_ended_by_another_worker(
    store: Store, workers: Workers, is_gone: Callable[[int], bool]
) -> None:
    parent = workers.start_and_wait(lost_after=2)
    task_id = store.enqueue("sleep", 60)
    store.wait_for(task_id, "RUNNING")
    kill_all(store, parent, is_gone)

    workers.start(lost_after=2)
    workers.start(lost_after=2)
    task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", LOST)
    assert "not seen for 2 seconds" in task.traceback
    assert len(task.worker_ids) == 1
    wait_until(lambda: workers.log().count(f"SIGNAL finished {task_id}") == 1, what="one signal")
    assert workers.log().count(f"{task_id} tests.worker.tasks.sleep FAILED") == 1
    # Django's own line for the same.
    assert "state=FAILED" not in workers.log()


def test_a_task_that_is_safe_to_run_twice_is_put_back_once(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    task_id = store.enqueue("safe_to_run_twice", str(mark), 60)
    workers.start_and_wait()
    for attempt in (1, 2):
        store.wait_for(task_id, "RUNNING")
        wait_until(
            lambda attempt=attempt: mark.exists() and len(mark.read_text().split()) == attempt,
            what="attempt",
        )
        pid = int(mark.read_text().split()[-1])
        os.kill(pid, signal.SIGKILL)

    task = store.wait_for(task_id)

    assert (task.status, task.exception_class_path) == ("FAILED", LOST)
    assert len(task.worker_ids) == 2
    assert len(set(task.worker_ids)) == 2


def test_a_worker_that_comes_back_late_changes_nothing(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    parent = workers.start_and_wait("--processes=2", lost_after=1)
    failed = store.enqueue("sleep", 2.0)
    put_back = store.enqueue("safe_to_run_twice", str(tmp_path / "mark"), 2.0)
    for task_id in (failed, put_back):
        store.wait_for(task_id, "RUNNING")
    late = dict(store.workers.values_list("pid", "worker_id"))
    # While nobody writes: on SQLite, one that stops with the lock keeps all others from writing.
    with transaction.atomic(using=ALIAS):
        signal_all([parent.pid, *late], signal.SIGSTOP)

    workers.start(lost_after=1)
    ended = {task_id: store.wait_for(task_id) for task_id in (failed, put_back)}
    signal_all([*late, parent.pid], signal.SIGCONT)
    # All live on, the late ones under new ids.
    wait_until(lambda: store.workers.count() == 3, what="three workers")
    store.wait_for(store.enqueue("add", 1, 2))

    assert ended[failed].status == "FAILED"
    assert ended[put_back].status == "SUCCESSFUL"
    for task_id, before in ended.items():
        after = store.get(task_id)
        assert (after.status, after.finished_at) == (before.status, before.finished_at)
        assert after.worker_ids == before.worker_ids
    assert not store.workers.filter(pk__in=late.values()).exists()


def test_tasks_of_a_stock_worker_are_left_alone(store: Store, workers: Workers) -> None:
    stock = workers.start("--no-startup-delay", "--queue-name=emails", command="db_worker")
    task_id = store.enqueue("sleep", 60, queue_name="emails")
    store.wait_for(task_id, "RUNNING")
    stock.kill()
    stock.wait()

    workers.start_and_wait(lost_after=1)
    # Another worker's end is found and dealt with, so that it was looked for.
    store.workers.create(worker_id="gone", hostname="elsewhere", pid=1)
    wait_until(lambda: not store.workers.filter(pk="gone").exists(), what="end of its row")

    assert store.get(task_id).status == "RUNNING"
