"""What is claimed: by priority, when it is due, from the right queues, and once."""

import os
from collections import Counter
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.worker.conftest import DEADLINE, Store, Workers, wait_until


def in_order_of_start(store: Store) -> list[str]:
    return [str(pk) for pk in store.tasks.order_by("started_at").values_list("pk", flat=True)]


def test_tasks_run_by_priority_then_in_the_order_of_enqueueing_and_know_their_attempt(
    store: Store, workers: Workers
) -> None:
    priorities = [0, 5, -100, 5, 100, 0]
    ids = [store.enqueue("tell_attempt", priority=priority) for priority in priorities]
    put_back = store.enqueue("tell_attempt", priority=-50, worker_ids=["gone"])

    workers.run_batch()

    ids.insert(3, put_back)
    assert in_order_of_start(store) == [ids[number] for number in (5, 1, 4, 0, 6, 3, 2)]
    assert store.get(put_back).return_value == 2
    assert store.get(ids[0]).return_value == 1


def test_a_deferred_task_starts_when_it_is_due_and_not_before(
    store: Store, workers: Workers
) -> None:
    now = timezone.now()
    past = store.enqueue("add", 1, 2, run_after=now - timedelta(hours=1))
    soon = store.enqueue("add", 1, 2, run_after=now + timedelta(seconds=4), priority=100)
    later = store.enqueue("add", 1, 2, run_after=now + timedelta(hours=1), priority=100)

    workers.start()

    task = store.wait_for(soon)
    assert task.started_at >= task.run_after
    assert store.wait_for(past).status == "SUCCESSFUL"
    assert store.get(later).status == "READY"


def test_many_workers_run_each_task_once(store: Store, workers: Workers, tmp_path) -> None:
    marks = [tmp_path / f"mark-{number}" for number in range(300)]
    for mark in marks:
        store.enqueue("leave_mark", str(mark))

    workers.run_batch("--processes=4")

    assert Counter(mark.read_text().count("\n") for mark in marks) == {1: 300}
    tasks = list(store.tasks.all())
    assert {task.status for task in tasks} == {"SUCCESSFUL"}
    assert {len(task.worker_ids) for task in tasks} == {1}
    assert len({task.worker_ids[0] for task in tasks}) > 1


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        (["--queue-name=emails,reports"], {"emails", "reports"}),
        (["--exclude-queues=emails,reports"], {"default"}),
    ],
)
def test_a_worker_takes_the_queues_that_it_is_told(
    store: Store, workers: Workers, arguments: list[str], run: set[str]
) -> None:
    for queue_name in ("default", "emails", "reports"):
        store.enqueue("add", 1, 2, queue_name=queue_name)

    workers.run_batch(*arguments)

    assert set(store.tasks.successful().values_list("queue_name", flat=True)) == run
    assert store.tasks.filter(status="READY").count() == 3 - len(run)


def test_a_worker_ends_after_as_many_tasks_as_it_is_told(store: Store, workers: Workers) -> None:
    for _ in range(3):
        store.enqueue("add", 1, 2)

    assert workers.start("--max-tasks=2").wait(DEADLINE) == 0

    assert store.tasks.successful().count() == 2
    assert store.tasks.filter(status="READY").count() == 1
    assert not store.workers.exists()


def test_each_transition_is_one_line_and_each_signal_is_sent_once_it_is_durable(
    store: Store, workers: Workers
) -> None:
    good, bad = store.enqueue("add", 1, 2), store.enqueue("fail", "no")

    workers.run_batch()

    log = workers.log()
    worker_id = store.get(good).worker_ids[0]
    lines = [line for line in log.splitlines() if good in line]
    assert len(lines) == 4
    running, started, ended, finished = lines
    assert f"{good} tests.worker.tasks.add RUNNING worker_id={worker_id} attempt=1" in running
    assert f"SIGNAL started {good} RUNNING" in started
    assert f"{good} tests.worker.tasks.add SUCCESSFUL worker_id={worker_id} duration=0." in ended
    assert f"SIGNAL finished {good} SUCCESSFUL" in finished
    assert log.count(f"{bad} tests.worker.tasks.fail FAILED") == 1
    assert log.count("RuntimeError: no") == 1


def test_a_child_is_replaced_when_its_code_changes(
    store: Store, workers: Workers, tmp_path
) -> None:
    module = tmp_path / "watched.py"
    module.write_text("")
    workers.start_and_wait("--reload", f"--pythonpath={tmp_path}")
    first = store.workers.get().worker_id
    store.wait_for(store.enqueue("load_module", "watched"))

    def is_replaced() -> bool:
        # Again and again: the reloader takes its first look at the file when it likes.
        os.utime(module)
        return bool(store.workers.exclude(pk=first).exists())

    wait_until(is_replaced, what="new child")
    assert store.wait_for(store.enqueue("add", 1, 2)).status == "SUCCESSFUL"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--queue-name=emails", "--exclude-queues=reports"], "--exclude-queues needs all queues"),
        (["--processes=0"], "greater than zero"),
        (["--backend=gone"], "gone"),
        (["--max-tasks=0"], "greater than zero"),
        ([], "Start the worker from a command line"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("worker", *arguments)
