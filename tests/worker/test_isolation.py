"""What a task leaves behind in its process or database session does not reach the next task."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.conftest import MigratedDatabase, throwaway_database
from tests.worker import leaving
from tests.worker.conftest import Store, Workers

# What leaves something behind, its arguments, and what tells of it.
PAIRS = {
    "a context": ("leave_context", [], "tell_context_variables"),
    "a context of a coroutine": ("leave_context_later", [], "tell_context_variables"),
    "a session": ("leave_session", [], "tell_session"),
    "a session of a coroutine": ("leave_session_later", [], "tell_session"),
    "a receiver's session": ("query_afterwards", [], "tell_session"),
    "a session of a connection in a variable": (
        "leave_session_of_kept_connection",
        [],
        "tell_session_of_kept_connection",
    ),
    "a write lock": ("hold_write_lock", [], "tell_session"),
    "a write lock of a thread": ("hold_write_lock_in_thread", [], "tell_session"),
    "a write lock of any thread": ("hold_write_lock_in_any_thread", [], "tell_session"),
    "a connection that is closed": ("close_under_django", [], "tell_session"),
    "ignored signals": ("leave_handlers", ["ignored"], "tell_process_state"),
    "default handlers": ("leave_handlers", ["default"], "tell_process_state"),
    "handlers of its own": ("leave_handlers", ["own"], "tell_process_state"),
    "an alarm": ("leave_alarm", [], "tell_process_state"),
    "umask, directory, locale, mask": ("leave_process_state", [], "tell_process_state"),
}


class Run:
    """One process runs each teller, and then each pair."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tellers = {teller: self._enqueue(teller) for _, _, teller in PAIRS.values()}
        self.pairs = {
            label: (self._enqueue(leaver, *args), self._enqueue(teller))
            for label, (leaver, args, teller) in PAIRS.items()
        }
        self.tenants = [self._enqueue("tell_tenant") for _ in range(2)]
        self.seen_by_receivers = self._enqueue("tell_seen_by_receivers")

    def _enqueue(self, name: str, *args: Any) -> str:
        return self._store.enqueue(f"{leaving.__name__}.{name}", *args)

    def get(self, task_id: str) -> Any:
        return self._store.get(task_id)


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_database: MigratedDatabase,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Run]:
    directory = tmp_path_factory.mktemp("isolation")
    with (
        throwaway_database(directory, template=migrated_database.url) as url,
        django_db_blocker.unblock(),
    ):
        store = Store(url)
        workers = Workers(store, directory / "worker.log")
        try:
            run = Run(store)
            workers.run_batch()
            yield run
        finally:
            workers.close()
            store.close()


@pytest.mark.parametrize("label", PAIRS)
def test_the_next_task_finds_what_it_would_find_without_the_one_before(
    run: Run, label: str
) -> None:
    _, _, teller = PAIRS[label]
    before, after = run.get(run.tellers[teller]), run.get(run.pairs[label][1])

    assert before.status == after.status == "SUCCESSFUL", after.traceback
    assert after.return_value == before.return_value
    assert after.worker_ids == before.worker_ids


def test_what_leaves_a_session_has_changed_one(run: Run) -> None:
    for label in ("a session", "a session of a coroutine"):
        left = run.get(run.pairs[label][0])
        assert left.status == "SUCCESSFUL", left.traceback


@pytest.mark.parametrize("whose", ["", " of a thread", " of any thread"])
def test_a_task_fails_that_leaves_a_transaction_open(run: Run, whose: str) -> None:
    left = run.get(run.pairs[f"a write lock{whose}"][0])

    assert left.exception_class_path.endswith("TransactionLeftOpen")


def test_a_task_that_closes_its_connection_leaves_no_transaction_open(run: Run) -> None:
    left = run.get(run.pairs["a connection that is closed"][0])

    assert left.status == "SUCCESSFUL", left.traceback


def test_receivers_of_a_tasks_signals_are_in_its_context(run: Run) -> None:
    seen = run.get(run.seen_by_receivers).return_value

    for task_id in run.tenants:
        assert run.get(task_id).return_value == f"entered for {task_id}"
        assert seen[task_id] == f"entered for {task_id}"
