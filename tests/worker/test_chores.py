"""An app registers work for the worker's parent, which does it beside the tasks."""

from itertools import pairwise
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from tasks_api.worker.parent.chores import Chore, Rest, register_chore, registered_chores
from tasks_api.worker.parent.pruning import PRUNE
from tests.worker.conftest import DEADLINE, Store, Workers, wait_until
from tests.worker.test_pruning import is_empty, make_due, store_old

# Turns are a second apart by the database's clock; a process may be held up in between.
ALMOST_A_SECOND = 0.8


class Marks:
    """What the chores of `tests.worker.chores_app` have noted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, name: str) -> list[tuple[int, float]]:
        """Return the process and the time of each turn."""
        file = self._directory / name
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(pid), float(time)) for pid, time in (line.split() for line in lines)]

    def wait_for(self, name: str, number: int) -> list[tuple[int, float]]:
        wait_until(lambda: len(self.of(name)) >= number, what=f"turn at {name!r}")
        return self.of(name)


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Marks:
    directory = tmp_path / "marks"
    directory.mkdir()
    monkeypatch.setenv("CHORE_MARKS", str(directory))
    return Marks(directory)


def test_one_worker_of_all_does_a_chore_once_a_turn(
    store: Store, workers: Workers, marks: Marks
) -> None:
    for _ in range(2):
        workers.start_and_wait()

    times = [time for _, time in marks.wait_for("for all", 4)]

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > ALMOST_A_SECOND


def test_each_worker_does_a_chore_of_its_own(store: Store, workers: Workers, marks: Marks) -> None:
    parents = {workers.start_and_wait().pid for _ in range(2)}

    def processes() -> set[int]:
        turns = marks.of("for itself")
        return {pid for pid, _ in turns if len([1 for other, _ in turns if other == pid]) >= 2}

    assert wait_until(lambda: processes() == parents, what="two turns of each")


def test_a_chore_that_fails_or_takes_long_stops_neither_others_nor_tasks(
    store: Store, workers: Workers, marks: Marks
) -> None:
    worker = workers.start_and_wait()

    marks.wait_for("fail", 3)
    marks.wait_for("for itself", 3)
    assert len(marks.of("take long")) == 1
    assert "Chore 'fail' failed and is tried again at its next turn" in workers.log()
    assert "RuntimeError: a chore of another app" in workers.log()
    assert store.wait_for(store.enqueue("add", 1, 2)).status == "SUCCESSFUL"
    worker.terminate()
    assert worker.wait(DEADLINE) == 0
    assert len(marks.of("stopped")) == 1


def test_without_pruning_other_chores_are_done(
    store: Store, workers: Workers, marks: Marks
) -> None:
    store_old(store)
    make_due()
    workers.start_and_wait("--no-prune", "--prune-interval=1")

    marks.wait_for("for all", 2)
    assert not is_empty(store)


def test_pruning_is_registered_as_any_chore_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registered_chores().count(PRUNE) == 1
    apps.get_app_config("tasks_api").ready()
    assert registered_chores().count(PRUNE) == 1


def do_nothing(alias: str, rest: Rest) -> None:
    pass


@pytest.mark.parametrize("name", ["prune", "x" * 33])
def test_a_name_that_is_taken_or_too_long_is_refused(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        register_chore(Chore(name=name, every=1, work=do_nothing, one_worker_of_all=True))
