"""A task that nobody has begun when it expires does not run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connections

from tasks_api.timestamps import timestamp
from tests.worker.conftest import ALIAS, Store, Workers, wait_until

EXPIRED = "tasks_api.exceptions.TaskExpired"


def expiring(store: Store, mark: Path, seconds: float, **columns: object) -> str:
    expires_at = timestamp(datetime.now(UTC) + timedelta(seconds=seconds))
    call = {"args": [str(mark)], "kwargs": {}, "call": {"expires_at": expires_at}}
    return store.enqueue("leave_mark", args_kwargs=call, **columns)


def test_a_task_that_has_expired_is_ended_and_does_not_run(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    expired = [expiring(store, tmp_path / str(number), -1) for number in range(150)]
    in_time = expiring(store, tmp_path / "in time", 3600)
    unlimited = store.enqueue("leave_mark", str(tmp_path / "unlimited"))
    workers.start()

    for task_id in expired:
        task = store.wait_for(task_id)
        assert (task.status, task.exception_class_path) == ("FAILED", EXPIRED)
        assert (task.worker_ids, task.started_at) == ([], None)
    assert store.wait_for(in_time).status == "SUCCESSFUL"
    assert store.wait_for(unlimited).status == "SUCCESSFUL"
    assert {path.name for path in tmp_path.iterdir()} >= {"in time", "unlimited"}
    assert not any(path.name.isdecimal() for path in tmp_path.iterdir())
    wait_until(
        lambda: all(workers.log().count(f"SIGNAL finished {task_id} ") == 1 for task_id in expired),
        what="a signal for each",
    )


def test_a_task_expires_while_it_waits_for_its_time_or_its_queue(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    deferred = expiring(store, tmp_path / "deferred", 1, run_after=tomorrow)
    elsewhere = expiring(store, tmp_path / "elsewhere", 1, queue_name="emails")
    workers.start("--queue-name=default")

    for task_id in (deferred, elsewhere):
        assert store.wait_for(task_id).exception_class_path == EXPIRED


def test_the_end_of_expired_tasks_is_told_even_if_one_of_them_cannot_be_read(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    expired = [expiring(store, tmp_path / str(number), -1) for number in range(3)]
    row = store.tasks.filter(pk=expired[1])
    row.update(args_kwargs=row.get().args_kwargs | {"args": ["digits"]})
    with connections[ALIAS].cursor() as cursor:
        table = row.model._meta.db_table
        kind = "jsonb" if store.url.startswith("postgres") else "text"
        cursor.execute(
            f"UPDATE {table} SET args_kwargs = CAST(REPLACE(CAST(args_kwargs AS text), %s, %s) AS {kind})",  # noqa: S608
            ['"digits"', "1" * 5000],
        )
    workers.start()

    for task_id in (expired[0], expired[2]):
        wait_until(lambda of=task_id: f"SIGNAL finished {of}" in workers.log(), what="signal")
    assert store.get(expired[1]).exception_class_path == EXPIRED
