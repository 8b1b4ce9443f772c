"""One worker for all removes what has expired, and no task waits for that."""

from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models.functions import Now
from django_tasks_db.models import get_date_max

from tasks_api.ids import new_task_id
from tasks_api.models import ChoreTurn
from tests.worker.conftest import ALIAS, DEADLINE, Store, Workers, wait_until


def chores() -> Any:
    return ChoreTurn.objects.using(ALIAS)


def store_old(store: Store, number: int = 1) -> None:
    """Store tasks that ended three weeks ago."""
    row: dict[str, Any] = {
        "args_kwargs": {"args": [], "kwargs": {}},
        "task_path": "tests.worker.tasks.add",
        "backend_name": "default",
        "run_after": get_date_max(),
        "status": "SUCCESSFUL",
    }
    store.tasks.bulk_create(
        [store.tasks.model(id=new_task_id(), **row) for _ in range(number)], batch_size=500
    )
    store.tasks.filter(finished_at=None, status="SUCCESSFUL").update(
        finished_at=Now() - timedelta(days=21)
    )


def is_empty(store: Store) -> bool:
    return not store.tasks.exists()


def is_empty_but_one(store: Store) -> bool:
    return store.tasks.count() == 1


def make_due() -> None:
    chores().bulk_create([ChoreTurn(name="prune")], ignore_conflicts=True)
    chores().update(begun_at=Now() - timedelta(hours=1))


def test_old_tasks_go_again_and_again(store: Store, workers: Workers) -> None:
    store_old(store, 3)
    workers.start_and_wait("--prune-interval=1")

    wait_until(lambda: is_empty(store), what="end of old tasks")
    wait_until(lambda: "Removed SUCCESSFUL and FAILED tasks: 3" in workers.log(), what="line")
    store_old(store)
    wait_until(lambda: is_empty(store), what="end of another old task")


def test_the_first_time_is_an_interval_after_the_first_start(
    store: Store, workers: Workers
) -> None:
    store_old(store)
    workers.start_and_wait()
    wait_until(lambda: chores().exists(), what="note of the chore")
    store.wait_for(store.enqueue("add", 1, 2))
    assert not is_empty_but_one(store)

    # An hour later, for whoever looks then.
    make_due()
    workers.start_and_wait()
    wait_until(lambda: is_empty_but_one(store), what="end of the old task")


def test_a_worker_can_be_told_to_leave_it(store: Store, workers: Workers) -> None:
    make_due()
    store_old(store)
    worker = workers.start_and_wait("--no-prune", "--prune-interval=1")
    for _ in range(3):
        store.wait_for(store.enqueue("add", 1, 2))
    worker.terminate()

    assert worker.wait(DEADLINE) == 0
    assert store.tasks.count() == 4
    assert not chores().filter(begun_at__gt=Now() - timedelta(minutes=30)).exists()


def test_tasks_run_while_it_goes_on(store: Store, workers: Workers) -> None:
    store_old(store, 4000)
    make_due()
    workers.start_and_wait()
    while store.tasks.count() > 1000:
        task = store.wait_for(store.enqueue("add", 1, 2))
        assert (task.status, task.return_value) == ("SUCCESSFUL", 3)


def test_of_several_workers_one_begins(store: Store, workers: Workers) -> None:
    store_old(store, 2000)
    make_due()
    for _ in range(3):
        workers.start_and_wait("--prune-interval=3600")
    wait_until(lambda: is_empty(store), what="end of old tasks")
    wait_until(lambda: "Removed" in workers.log(), what="line")

    assert workers.log().count("Removed SUCCESSFUL and FAILED tasks: 2000") == 1


def test_it_stops_with_its_worker_and_the_next_one_goes_on(store: Store, workers: Workers) -> None:
    store_old(store, 20_000)
    make_due()
    worker = workers.start_and_wait()
    wait_until(lambda: store.tasks.count() < 20_000, what="first batch")
    worker.terminate()

    assert worker.wait(DEADLINE) == 0
    assert "Traceback" not in workers.log()
    left = store.tasks.count()
    assert left > 0
    # Its turn is free again: nobody waits for an hour.
    workers.start_and_wait()
    wait_until(lambda: store.tasks.count() < left, what="another batch")


def test_a_failure_is_told_and_ends_nothing(store: Store, workers: Workers) -> None:
    make_due()
    store_old(store)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_api_idempotencyrecord RENAME TO elsewhere")
    workers.start_and_wait("--prune-interval=1")
    wait_until(lambda: "Chore 'prune' failed" in workers.log(), what="line")
    assert store.wait_for(store.enqueue("add", 1, 2)).status == "SUCCESSFUL"
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO tasks_api_idempotencyrecord")
    store_old(store)
    wait_until(lambda: is_empty_but_one(store), what="end of the old task")


def test_the_command_does_the_same(store: Store, workers: Workers) -> None:
    store_old(store, 120)
    fresh = store.enqueue("add", 1, 2)

    assert workers.start("--dry-run", command="prune").wait(DEADLINE) == 0
    assert "Would remove SUCCESSFUL and FAILED tasks: 120" in workers.log()
    assert store.tasks.count() == 121
    assert workers.start(command="prune").wait(DEADLINE) == 0
    assert [str(task.pk) for task in store.tasks.all()] == [fresh]
