"""No task stops the worker, whatever it raises, returns or does to its connection."""

from pathlib import Path

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.conftest import MigratedDatabase, throwaway_database
from tests.worker.conftest import ALIAS, Store, Workers

# Name and arguments of a task, how it ends, and what its exception's path and text say.
POISON = {
    "an exception with NUL": ("fail_with_nul", [], "builtins.RuntimeError", r"a\x00b"),
    "an exception with a lone surrogate": (
        "fail_with_surrogate",
        [],
        "builtins.RuntimeError",
        r"a\ud800b",
    ),
    "an exception of 100 MB": (
        "fail_at_length",
        [],
        "builtins.RuntimeError",
        "characters left out",
    ),
    "an exception without text": (
        "fail_without_text",
        [],
        "tests.worker.tasks.UnprintableError",
        "str() failed",
    ),
    "a BaseException": (
        "raise_base_exception",
        [],
        "tests.worker.tasks.NoExceptionError",
        "not even an Exception",
    ),
    "SystemExit": ("exit_with_success", [], "builtins.SystemExit", "0"),
    "KeyboardInterrupt": ("interrupt", [], "builtins.KeyboardInterrupt", ""),
    "a recursion": ("recurse", [], "builtins.RecursionError", "maximum recursion depth"),
    "a set as return value": (
        "return_set",
        [],
        "tasks_api.exceptions.ResultNotStorable",
        "Unsupported type",
    ),
    "two keys of one name": (
        "return_keys_of_one_name",
        [],
        "tasks_api.exceptions.ResultNotStorable",
        "the keys 1 and '1', which are one in JSON: a value would be lost",
    ),
    "a returned NUL": (
        "return_text",
        [r"\x00"],
        "tasks_api.exceptions.ResultNotStorable",
        "NUL character",
    ),
    "a returned lone surrogate": (
        "return_text",
        [r"\ud800"],
        "tasks_api.exceptions.ResultNotStorable",
        "lone surrogate",
    ),
    "a returned NaN": ("return_nan", [], "tasks_api.exceptions.ResultNotStorable", "nan"),
    "a returned depth": (
        "return_depth",
        [5000],
        "tasks_api.exceptions.ResultNotStorable",
        "RecursionError",
    ),
    "a return value of 50 MB": (
        "return_characters",
        [50_000_000],
        "tasks_api.exceptions.ResultTooLarge",
        "50,000,002 bytes; MAX_RESULT_BYTES is 10,000",
    ),
    "an atomic block left open": (
        "leave_atomic_block_open",
        [],
        "tasks_api.exceptions.TransactionLeftOpen",
        "rolled back",
    ),
    "autocommit left off": (
        "leave_autocommit_off",
        [],
        "tasks_api.exceptions.TransactionLeftOpen",
        "rolled back",
    ),
    "a transaction left open": (
        "leave_transaction_open",
        [],
        "tasks_api.exceptions.TransactionLeftOpen",
        "rolled back",
    ),
    "wrong arguments": ("add", ["one"], "builtins.TypeError", "missing 1 required"),
}
# What the columns of a row say instead.
POISONED_ROWS = {
    "a module that exits": (
        {"task_path": "tests.worker.broken.task"},
        "builtins.SystemExit",
        "not to be imported",
    ),
    "a module that is gone": (
        {"task_path": "tests.worker.gone.task"},
        "builtins.ModuleNotFoundError",
        "tests.worker.gone",
    ),
    "what is no task": (
        {"task_path": "os.getcwd"},
        "django.core.exceptions.SuspiciousOperation",
        "does not point to a Task",
    ),
    "a queue that is gone": (
        {"queue_name": "gone"},
        "django.tasks.exceptions.InvalidTask",
        "Queue 'gone'",
    ),
    "a backend that is gone": (
        {"backend_name": "gone"},
        "django.tasks.exceptions.InvalidTaskBackend",
        "gone",
    ),
    "a row without arguments": ({"args_kwargs": {}}, "builtins.KeyError", "args"),
}
# These end well.
HARMLESS = {
    "a task that closes its connection": ("close_connection", "closed"),
    "a task that makes its connection read-only": ("make_connection_read_only", "read only"),
    "a receiver of task_finished that raises": ("finish_badly", 1),
    "a coroutine": ("wait_for_nothing", "awaited"),
}


class Run:
    """One run of a worker over all of them, each followed by a task that must succeed."""

    def __init__(self, store: Store) -> None:
        self.ids: dict[str, str] = {}
        self.followers: list[str] = []
        for label, (name, args, *_) in POISON.items():
            self._enqueue(store, label, name, *args)
        for label, (columns, *_) in POISONED_ROWS.items():
            self._enqueue(store, label, "add", 1, 2, **columns)
        for label, (name, _) in HARMLESS.items():
            self._enqueue(store, label, name)
        self._enqueue(store, "unreadable", "add")
        _make_unreadable(store, self.ids["unreadable"])

    def _enqueue(
        self, store: Store, label: str, name: str, *args: object, **columns: object
    ) -> None:
        self.ids[label] = store.enqueue(name, *args, **columns)
        self.followers.append(store.enqueue("add", 1, 2))


def _make_unreadable(store: Store, task_id: str) -> None:
    """Give it an integer that databases take and that Python's parser refuses."""
    is_postgresql = store.url.startswith("postgres")
    pk = task_id if is_postgresql else task_id.replace("-", "")
    table = store.tasks.model._meta.db_table
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET args_kwargs = %s WHERE id = %s",  # noqa: S608
            ['{"args": [%s], "kwargs": {}}' % ("9" * 5000), pk],
        )


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_database: MigratedDatabase,
    django_db_blocker: DjangoDbBlocker,
):
    directory: Path = tmp_path_factory.mktemp("poison")
    with (
        throwaway_database(directory, template=migrated_database.url) as url,
        django_db_blocker.unblock(),
    ):
        store = Store(url)
        workers = Workers(store, directory / "worker.log")
        run = Run(store)
        try:
            workers.run_batch()
            tasks = {str(task.pk): task for task in store.tasks.defer("args_kwargs")}
            yield run, tasks, workers.log()
        finally:
            workers.close()
            store.close()


@pytest.mark.parametrize("label", POISON)
def test_a_poisonous_task_fails_readably(finished, label: str) -> None:
    run, tasks, _ = finished
    _, _, path, text = POISON[label]
    task = tasks[run.ids[label]]

    assert task.status == "FAILED"
    assert task.exception_class_path == path
    assert text in task.traceback
    assert len(task.traceback) < 70_000
    assert task.return_value is None
    assert task.finished_at is not None


@pytest.mark.parametrize("label", POISONED_ROWS)
def test_a_row_that_cannot_be_run_fails_readably(finished, label: str) -> None:
    run, tasks, _ = finished
    _, path, text = POISONED_ROWS[label]
    task = tasks[run.ids[label]]

    assert task.status == "FAILED"
    assert task.exception_class_path == path
    assert text in task.traceback


@pytest.mark.parametrize("label", HARMLESS)
def test_what_does_no_harm_succeeds(finished, label: str) -> None:
    run, tasks, _ = finished
    task = tasks[run.ids[label]]

    assert task.status == "SUCCESSFUL", task.traceback
    assert task.return_value == HARMLESS[label][1]


def test_a_row_that_cannot_be_read_ends(finished) -> None:
    run, tasks, _ = finished
    task = tasks[run.ids["unreadable"]]

    assert task.status == "FAILED"
    assert "4300 digits" in task.traceback


def test_every_task_after_poison_is_run_by_the_same_worker(finished) -> None:
    run, tasks, _ = finished
    followers = [tasks[task_id] for task_id in run.followers]

    assert {task.status for task in followers} == {"SUCCESSFUL"}
    assert {task.return_value for task in followers} == {3}
    assert len({tuple(task.worker_ids) for task in tasks.values()}) == 1


def test_what_a_task_left_uncommitted_is_rolled_back(finished) -> None:
    _, tasks, _ = finished

    assert {task.priority for task in tasks.values()} == {0}


def test_no_log_line_carries_an_exception_of_100_mb(finished) -> None:
    _, _, log = finished

    assert max(len(line) for line in log.splitlines()) < 20_000
