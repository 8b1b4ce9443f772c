"""Workers are killed, and tasks cancelled, at random under load, and every task is accounted for."""

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.db.models import QuerySet
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tasks_api.models import TaskRun
from tasks_api.problems import NotCancellable
from tests.worker.conftest import ALIAS, ATTEMPT_TASKS, Store, Workers, cancel, wait_until

SECONDS = float(os.environ.get("CHAOS_SECONDS", "10"))
LOST = "tasks_api.exceptions.WorkerLost"
PROCESSES = 2
# Enough to keep every worker busy; an open-ended load would measure the machine instead.
MOST_UNFINISHED = 40


CANCELLED = "tasks_api.exceptions.TaskCancelled"
MOST_ATTEMPTS = {"leave_mark": 1, "safe_to_run_twice": 2, ATTEMPT_TASKS + "fail_at_times": 3}


@dataclass
class Enqueued:
    name: str
    mark: Path
    runs_when_cancelled: int | None = None
    """How often it had run when a client was told that it is cancelled."""

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
        name = chance.choice(list(MOST_ATTEMPTS))
        mark = tmp_path / f"mark-{len(enqueued)}"
        seconds = chance.choice([0, 0.01, 0.3])
        enqueued[store.enqueue(name, str(mark), seconds)] = Enqueued(name, mark)
        if chance.random() < 0.1:
            cancel_one(store, enqueued, chance)
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


def cancel_one(store: Store, enqueued: dict[str, Enqueued], chance: random.Random) -> None:
    """Cancel a task that waits or runs, as the API does."""
    task_id = chance.choice(list(enqueued)[-MOST_UNFINISHED:])
    waiting = store.tasks.filter(pk=task_id, status="READY")
    columns = {"status": "FAILED", "finished_at": timezone.now()}
    if waiting.update(**columns, exception_class_path=CANCELLED):
        enqueued[task_id].runs_when_cancelled = enqueued[task_id].runs
    else:
        with suppress(NotCancellable):
            cancel(task_id)


def account_for(task, one: Enqueued) -> None:
    attempts, most = len(task.worker_ids), MOST_ATTEMPTS[one.name]
    assert attempts <= most
    assert one.runs <= attempts
    if one.runs_when_cancelled is not None:
        assert task.exception_class_path == CANCELLED
        assert one.runs == one.runs_when_cancelled
    elif task.status == "SUCCESSFUL":
        assert one.runs >= 1
    elif task.exception_class_path != CANCELLED:
        own = {"builtins.OSError"} if one.name == ATTEMPT_TASKS + "fail_at_times" else set()
        assert task.exception_class_path in {LOST, *own}
        # What was told to stop is not tried again.
        assert attempts == most or was_told_to_stop(task)


def was_told_to_stop(task) -> bool:
    runs = TaskRun.objects.using(ALIAS).filter(pk=task.pk)
    return runs.filter(cancel_requested_at__isnull=False).exists()
