"""Programs that a task starts end with it where it is ended; copies of the worker end with the task."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tasks_api.worker.exit_status import DONE
from tests.worker.conftest import DEADLINE, Store, Workers, wait_until

LEAVING = "tests.worker.leaving"


@dataclass
class Programs:
    """The programs that tasks start, each with a file for its id."""

    directory: Path
    pids: list[int] = field(default_factory=list)

    def file(self, name: str) -> str:
        return str(self.directory / name)

    def wait_for(self, name: str) -> int:
        file = Path(self.file(name))
        pid = wait_until(lambda: file.exists() and file.read_text(), what="program")
        self.pids.append(int(pid))
        return self.pids[-1]

    def kill(self) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


def test_a_program_ends_with_a_task_that_outlasts_the_grace(
    store: Store, workers: Workers, programs: Programs, is_gone: Callable[[int], bool]
) -> None:
    worker = workers.start_and_wait("--grace-seconds=0.1")
    store.enqueue(f"{LEAVING}.start_program", programs.file("one"), 60)
    program = programs.wait_for("one")

    worker.terminate()

    assert worker.wait(DEADLINE) == 1
    wait_until(lambda: is_gone(program), what="end of the program")


def test_a_program_ends_with_the_process_of_its_task_or_with_the_parent(
    store: Store, workers: Workers, programs: Programs, is_gone: Callable[[int], bool]
) -> None:
    parent = workers.start("--processes=2")
    for status in (0, DONE):
        name = f"status {status}"
        store.enqueue(f"{LEAVING}.start_program_and_die", programs.file(name), status)
        program = programs.wait_for(name)
        wait_until(lambda program=program: is_gone(program), what="end of the program")
    store.enqueue(f"{LEAVING}.start_program", programs.file("last"), 60)
    program = programs.wait_for("last")

    parent.kill()

    wait_until(lambda: is_gone(program), what="end of the program")


FORKS = {
    ("fork", "returns"): "status 0",
    ("fork", "raises"): "status 1",
    ("fork", "exits"): "status 7",
    ("fork_later", "returns"): "status 0",
    ("fork_later", "raises"): "status 1",
}


def test_a_copy_of_the_worker_ends_with_the_task_that_forked_it_and_a_program_goes_on(
    store: Store, workers: Workers, programs: Programs, is_gone: Callable[[int], bool]
) -> None:
    store.enqueue(f"{LEAVING}.start_program", programs.file("one"), 0)
    file = programs.file("copies")
    ids = {(name, how): store.enqueue(f"{LEAVING}.{name}", file, how) for name, how in FORKS}
    follower = store.enqueue("add", 1, 2)
    workers.run_batch()

    for which, task_id in ids.items():
        task = store.get(task_id)
        assert (task.status, task.return_value) == ("SUCCESSFUL", FORKS[which]), task.traceback
        assert len(task.worker_ids) == 1
    assert store.get(follower).worker_ids == store.get(task_id).worker_ids
    copies = [int(pid) for pid in Path(file).read_text().split()]
    assert len(copies) == len(FORKS)
    assert all(is_gone(pid) for pid in copies)
    assert workers.log().count("forked from the worker's process") == len(FORKS)
    assert workers.log().count(f"SIGNAL finished {follower}") == 1
    # The worker has ended in good order, and so what is left was left on purpose.
    assert not is_gone(programs.wait_for("one"))


# A container without an init.

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def can_be_process_1() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not can_be_process_1(), reason="needs a namespace for processes: root, on Linux"
)
def test_as_process_1_the_worker_leaves_no_zombies_and_obeys_signals(
    store: Store, workers: Workers
) -> None:
    container = workers.start("--grace-seconds=60", under=UNSHARE)
    store.wait_for(store.enqueue(f"{LEAVING}.leave_orphan"))

    def processes() -> list[str]:
        seen = store.wait_for(store.enqueue(f"{LEAVING}.tell_processes")).return_value
        return [] if any(one.startswith("sleep") for one in seen) else seen

    seen = wait_until(processes, what="end of the orphans")
    assert not [one for one in seen if one.endswith(" Z")]

    running = store.enqueue("sleep", 1)
    store.wait_for(running, "RUNNING")
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text()
    os.kill(int(children), signal.SIGTERM)

    assert container.wait(DEADLINE) == 0
    assert store.get(running).status == "SUCCESSFUL"
