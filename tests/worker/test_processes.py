"""The parent and its children: rows, heartbeats, replacement, and never a child without a parent."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.db.models.functions import Now

from tasks_api.worker.exit_status import DONE
from tasks_api.worker.parent.heartbeat import HEARTBEATS_UNTIL_LOST
from tests.worker.conftest import Store, Workers, wait_until


def test_each_child_has_a_row_that_says_what_it_does(store: Store, workers: Workers) -> None:
    workers.start_and_wait("--processes=2", "--queue-name=default,emails")
    task_id = store.enqueue("sleep", 5)
    store.wait_for(task_id, "RUNNING")

    rows = list(store.workers.with_is_alive(30))

    assert [row.queue_names for row in rows] == [["default", "emails"]] * 2
    assert len({row.worker_id for row in rows}) == 2
    assert all(row.hostname and row.is_alive for row in rows)
    assert all(Path(f"/proc/{row.pid}").exists() for row in rows)
    assert all(row.started_at <= row.last_seen_at for row in rows)
    busy = [row for row in rows if row.current_task]
    assert [str(row.current_task) for row in busy] == [task_id]
    assert store.get(task_id).worker_ids == [busy[0].worker_id]


def test_heartbeats_go_on_while_a_task_hogs_the_interpreter(store: Store, workers: Workers) -> None:
    workers.start_and_wait(lost_after=1)
    workers.start_and_wait("--queue-name=emails", lost_after=1)

    task = store.wait_for(store.enqueue("hog_interpreter", 3))

    assert task.status == "SUCCESSFUL"
    assert len(task.worker_ids) == 1
    assert task.finished_at - task.started_at > timedelta(seconds=2)


def test_the_task_of_a_killed_child_ends_at_once_and_the_child_is_replaced(
    store: Store, workers: Workers
) -> None:
    workers.start_and_wait()
    task_id = store.enqueue("sleep", 60)
    store.wait_for(task_id, "RUNNING")

    os.kill(store.workers.get().pid, signal.SIGKILL)
    task = store.wait_for(task_id)

    assert task.status == "FAILED"
    assert task.exception_class_path == "tasks_api.exceptions.WorkerLost"
    assert "ended with status -9" in task.traceback
    assert store.wait_for(store.enqueue("add", 1, 2)).status == "SUCCESSFUL"
    assert f"SIGNAL finished {task_id} FAILED" in workers.log()


def test_tasks_that_end_their_process_fail_and_the_next_one_runs(
    store: Store, workers: Workers
) -> None:
    doomed = {status: store.enqueue("die", status) for status in (0, DONE)}
    follower = store.enqueue("add", 1, 2)

    workers.start()

    assert store.wait_for(follower).status == "SUCCESSFUL"
    for status, task_id in doomed.items():
        task = store.get(task_id)
        assert task.exception_class_path == "tasks_api.exceptions.WorkerLost"
        assert f"ended with status {status}" in task.traceback


def test_a_child_does_not_outlive_its_parent(
    store: Store, workers: Workers, is_gone: Callable[[int], bool]
) -> None:
    parent = workers.start_and_wait("--processes=2")
    task_id = store.enqueue("sleep", 60)
    store.wait_for(task_id, "RUNNING")
    pids = list(store.workers.values_list("pid", flat=True))

    parent.kill()

    wait_until(lambda: all(is_gone(pid) for pid in pids), what="end of the children")
    assert store.get(task_id).exception_class_path == "tasks_api.exceptions.WorkerLost"
    assert f"SIGNAL finished {task_id} FAILED" in workers.log()
    assert not store.workers.exists()


def test_several_heartbeats_are_written_before_a_worker_counts_as_lost(
    store: Store, workers: Workers
) -> None:
    workers.start_and_wait(lost_after=2)
    first = store.workers.get().last_seen_at

    def seen_again() -> bool:
        return bool(store.workers.filter(last_seen_at__gt=first).exists())

    wait_until(seen_again, what="heartbeat")
    worker = store.workers.annotate(age=Now() - first).get()
    assert HEARTBEATS_UNTIL_LOST >= 3
    assert worker.age < timedelta(seconds=2)
