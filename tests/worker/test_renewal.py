"""Processes that have run many tasks, or take much memory, are replaced, and the command goes on."""

import pytest

from tests.worker.conftest import Store, Workers


@pytest.mark.parametrize(
    ("option", "processes"), [("--max-tasks-per-child=2", 2), ("--max-memory-per-child=1", 3)]
)
def test_a_worn_process_is_replaced_between_two_tasks(
    store: Store, workers: Workers, option: str, processes: int
) -> None:
    task_ids = [store.enqueue("add", number, 1) for number in range(3)]
    workers.run_batch(option)

    tasks = [store.get(task_id) for task_id in task_ids]
    assert [task.return_value for task in tasks] == [1, 2, 3]
    assert len({task.worker_ids[0] for task in tasks}) == processes
    assert "has run as many tasks, or takes as much memory" in workers.log()
    assert "ended with status" not in workers.log()


def test_a_process_that_has_room_is_kept(store: Store, workers: Workers) -> None:
    task_ids = [store.enqueue("add", number, 1) for number in range(5)]
    workers.run_batch("--max-tasks-per-child=100", "--max-memory-per-child=10000")

    assert len({store.get(task_id).worker_ids[0] for task_id in task_ids}) == 1


def test_a_process_is_to_be_ended_or_replaced_but_not_both(workers: Workers) -> None:
    process = workers.start("--max-tasks=5", "--max-tasks-per-child=2")

    assert process.wait(60) != 0
    assert "use one of them" in workers.log()
