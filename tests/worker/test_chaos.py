"""Workers are killed at random under load, and every task is accounted for."""

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.db.models import QuerySet
from django_tasks_db.models import DBTaskResult

from tests.worker.conftest import Store, Workers, wait_until

SECONDS = float(os.environ.get("CHAOS_SECONDS", "10"))
LOST = "tasks_api.exceptions.WorkerLost"
PROCESSES = 2
# Enough to keep every worker busy; an open-ended load would measure the machine instead.
MOST_UNFINISHED = 40


@dataclass(frozen=True)
class Enqueued:
    name: str
    mark: Path

    @property
    def runs(self) -> int:
        return self.mark.read_text().count("\n") if self.mark.exists() else 0


def test_no_task_is_lost_and_none_runs_twice_that_must_not(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    chance = random.Random(time.time_ns())  # noqa: S311
    parents = [workers.start_and_wait(f"--processes={PROCESSES}", lost_after=2) for _ in range(2)]
    enqueued: dict[str, Enqueued] = {}
    end = time.monotonic() + SECONDS
    next_kill = 0.0
    while time.monotonic() < end:
        wait_until(lambda: unfinished(store).count() < MOST_UNFINISHED, what="room for a task")
        name = chance.choice(["leave_mark", "safe_to_run_twice"])
        mark = tmp_path / f"mark-{len(enqueued)}"
        seconds = chance.choice([0, 0.01, 0.3])
        enqueued[store.enqueue(name, str(mark), seconds)] = Enqueued(name, mark)
        if time.monotonic() > next_kill:
            if chance.random() < 0.2:
                position = chance.randrange(len(parents))
                parents[position].kill()
                parents[position] = workers.start(f"--processes={PROCESSES}", lost_after=2)
            elif pids := list(store.workers.values_list("pid", flat=True)):
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(pids), signal.SIGKILL)
            next_kill = time.monotonic() + chance.uniform(0.1, 1.0)

    wait_until(lambda: not unfinished(store).exists(), what="end of every task")
    tasks = {str(task.pk): task for task in store.tasks.all()}
    assert tasks.keys() == enqueued.keys()
    for task_id, one in enqueued.items():
        account_for(tasks[task_id], one)
    wait_until(lambda: store.workers.count() == PROCESSES * len(parents), what="the living's rows")
    assert set(store.workers.values_list("current_task", flat=True)) == {None}


def unfinished(store: Store) -> QuerySet[DBTaskResult]:
    return store.tasks.filter(status__in=["READY", "RUNNING"])


def account_for(task, one: Enqueued) -> None:
    attempts = len(task.worker_ids)
    most = 2 if one.name == "safe_to_run_twice" else 1
    assert 1 <= attempts <= most
    assert one.runs <= attempts
    if task.status == "SUCCESSFUL":
        assert one.runs >= 1
    else:
        assert task.exception_class_path == LOST
        assert attempts == most
