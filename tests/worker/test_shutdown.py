"""SIGTERM lets the running task finish, within the grace; a second one ends it at once."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.worker.conftest import DEADLINE, Store, Workers, wait_until

LOST = "tasks_api.exceptions.WorkerLost"


def test_running_tasks_finish_and_no_other_is_claimed(store: Store, workers: Workers) -> None:
    worker = workers.start_and_wait("--processes=2", "--grace-seconds=60")
    running = store.enqueue("sleep", 3)
    # Its process is not told by a signal.
    deaf = store.enqueue("tests.worker.leaving.sleep_deaf", 3)
    waiting = store.enqueue("sleep", 120)
    for task_id in (running, deaf):
        store.wait_for(task_id, "RUNNING")
    wait_until(lambda: "DEAF" in workers.log(), what="ignored signals")

    # As systemd does it: to the parent and to each child.
    for pid in store.workers.values_list("pid", flat=True):
        os.kill(pid, signal.SIGTERM)
    worker.terminate()

    assert worker.wait(DEADLINE) == 0
    assert store.get(running).status == "SUCCESSFUL"
    assert store.get(deaf).status == "SUCCESSFUL"
    assert store.get(waiting).status == "READY"
    assert not store.workers.exists()


def test_an_idle_worker_ends_at_once(store: Store, workers: Workers) -> None:
    worker = workers.start_and_wait("--processes=2", "--interval=60")

    worker.send_signal(signal.SIGINT)

    assert worker.wait(DEADLINE) == 0
    assert not store.workers.exists()


def test_tasks_that_outlast_the_grace_are_ended(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    worker = workers.start_and_wait("--processes=4", "--grace-seconds=0.5")
    doomed = [store.enqueue(name, 60) for name in ("sleep", "hog_interpreter", "ignore_signals")]
    safe = store.enqueue("safe_to_run_twice", str(tmp_path / "mark"), 60)
    for task_id in (*doomed, safe):
        store.wait_for(task_id, "RUNNING")

    worker.terminate()

    assert worker.wait(DEADLINE) == 1
    assert [store.get(task_id).exception_class_path for task_id in doomed] == [LOST] * 3
    assert store.get(safe).status == "READY"
    assert not store.workers.exists()


def test_receivers_of_task_finished_are_waited_for(store: Store, workers: Workers) -> None:
    worker = workers.start_and_wait("--grace-seconds=0.1")
    task_id = store.enqueue("sleep_and_finish_slowly", 60)
    store.wait_for(task_id, "RUNNING")

    worker.terminate()

    assert worker.wait(DEADLINE) == 1
    assert f"SIGNAL received {task_id}" in workers.log()


def test_a_second_signal_leaves_nothing_running(
    store: Store, workers: Workers, is_gone: Callable[[int], bool]
) -> None:
    worker = workers.start_and_wait("--processes=2")
    tasks = [store.enqueue("sleep", 60), store.enqueue("sleep", 60)]
    for task_id in tasks:
        store.wait_for(task_id, "RUNNING")
    pids = list(store.workers.values_list("pid", flat=True))

    worker.terminate()
    wait_until(lambda: "a second signal" in workers.log(), what="first signal's line")
    worker.terminate()

    assert worker.wait(DEADLINE) == 1
    assert [store.get(task_id).exception_class_path for task_id in tasks] == [LOST, LOST]
    assert all(is_gone(pid) for pid in pids)
