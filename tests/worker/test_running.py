"""How a task is called, which signals are sent when, and what is left of it afterwards."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.tasks.signals import task_finished, task_started
from django_tasks_db.backend import DatabaseBackend
from django_tasks_db.management.commands.db_worker import Worker as StockWorker
from django_tasks_db.models import DBTaskResult

from tasks_api.ids import new_task_id
from tasks_api.models import Worker
from tasks_api.worker.child.claims import Claims
from tasks_api.worker.child.coroutines import run_coroutine
from tasks_api.worker.child.running import TaskRunner
from tasks_api.worker.child.stops import Stops
from tasks_api.worker.child.transitions import ready_tasks
from tasks_api.worker.connection import OwnConnection
from tasks_api.worker.shared_page import SharedPage
from tests.rows import task_row
from tests.worker import tasks
from tests.worker.conftest import Store, Workers

type Seen = list[dict[str, Any]]

WORKER_ID = "the worker"
TASK_ID = new_task_id()


def run_by_stock_worker(row: DBTaskResult[Any, Any]) -> None:
    """Run a task as the `db_worker` of django-tasks-db does."""
    row.claim(WORKER_ID)
    StockWorker(
        queue_names=["*"],
        interval=1,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=WORKER_ID,
        excluded_queue_names=[],
    ).run_task(row)


def new_page() -> SharedPage:
    page, file = SharedPage.create()
    os.close(file)
    return page


def run_by_ours(row: DBTaskResult[Any, Any]) -> None:
    Worker.objects.update_or_create(worker_id=WORKER_ID, defaults={"hostname": "here", "pid": 1})
    with closing(OwnConnection(row._state.db)) as connection:
        claims = Claims(connection, WORKER_ID, ready_tasks("default", ["*"], []), 30)
        runner = TaskRunner(
            WORKER_ID,
            new_page(),
            lambda task, verdict: claims.finish(task, verdict, claim_next=False),
            claims.put_back,
            max_result_bytes=10_000,
        )
        claimed = claims.next(may_claim=True)
        assert claimed is not None
        assert claimed.pk == row.pk
        runner.run(claimed)


def seen_while(run: Callable[[Any], None], path: str, *args: Any, **kwargs: Any) -> Seen:
    """Run a task; return what receivers of signals saw of it, and last what was stored."""
    seen: Seen = []

    def note_start(sender: type, task_result: Any, **_: Any) -> None:
        seen.append({"signal": "task_started", "sender": sender, **described(task_result)})

    def note_end(sender: type, task_result: Any, **_: Any) -> None:
        stored = DBTaskResult.objects.get().status
        seen.append(
            {"signal": "task_finished", "sender": sender, "stored": stored} | described(task_result)
        )

    task_started.connect(note_start)
    task_finished.connect(note_end)
    row = task_row(
        id=TASK_ID,
        task_path=path,
        args_kwargs={"args": list(args), "kwargs": kwargs},
        worker_ids=["before"],
    )
    row.save()
    row.refresh_from_db()
    try:
        run(row)
    finally:
        task_started.disconnect(note_start)
        task_finished.disconnect(note_end)
    stored = DBTaskResult.objects.get()
    columns = {field.attname: getattr(stored, field.attname) for field in stored._meta.fields}
    seen.append(comparable(columns))
    stored.delete()
    return seen


def described(task_result: Any) -> dict[str, Any]:
    names = [field.name for field in fields(task_result) if field.name != "db_result"]
    members = {name: getattr(task_result, name) for name in names}
    return comparable({"class": type(task_result), **members, "attempts": task_result.attempts})


def comparable(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs from run to run: moments, and the frames of tracebacks."""
    kept = dict(members)
    for name, value in members.items():
        if isinstance(value, datetime):
            kept[name] = "a moment"
    if "traceback" in members:
        kept["traceback"] = last_line(members["traceback"])
    if "errors" in members:
        kept["errors"] = [
            (error.exception_class_path, last_line(error.traceback)) for error in members["errors"]
        ]
    return kept


def assert_same(ours: Seen, stock: Seen) -> None:
    """Compare what was seen; the senders' kind has a test of its own."""
    for one in (*ours, *stock):
        one["sender"] = kind_of(one.get("sender"))
    for mine, theirs in zip(ours, stock, strict=True):
        assert mine == theirs


def kind_of(sender: Any) -> type:
    return sender if isinstance(sender, type) else type(sender)


def last_line(traceback: str) -> str:
    return traceback.strip().rpartition("\n")[2]


@pytest.fixture
def compare(transactional_db: None) -> Iterator[Callable[..., tuple[Seen, Seen]]]:
    """A function that runs a task by the stock worker and by ours, and returns what was seen."""

    def both(name: str, *args: Any, **kwargs: Any) -> tuple[Seen, Seen]:
        path = name if "." in name else f"{tasks.__name__}.{name}"
        return (
            seen_while(run_by_stock_worker, path, *args, **kwargs),
            seen_while(run_by_ours, path, *args, **kwargs),
        )

    yield both
    Worker.objects.all().delete()


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("add", [1], {"b": 2}),
        ("add", [1], {}),
        ("fail", ["no"], {}),
        ("tell_context", ["a"], {}),
        ("tell_context_later", [], {"text": "a"}),
        ("wait_for_nothing", [], {}),
        ("fail_later", ["no"], {}),
        ("exit_with_success", [], {}),
        ("exit_later", [], {}),
        ("interrupt", [], {}),
        ("raise_base_exception", [], {}),
        ("cancel_itself", [], {}),
        ("tests.worker.gone.task", [], {}),
        ("tests.worker.tasks.gone", [], {}),
        ("os.getcwd", [], {}),
    ],
)
def test_a_task_runs_as_it_does_by_the_stock_worker(
    compare: Callable[..., tuple[Seen, Seen]], name: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    stock, ours = compare(name, *args, **kwargs)

    assert_same(ours, stock)
    is_importable = name in vars(tasks)
    signals = ["task_started", "task_finished"] if is_importable else []
    assert [one["signal"] for one in ours[:-1]] == signals
    assert ours[-1]["worker_ids"] == ["before", WORKER_ID]


def test_the_sender_is_the_class_of_the_backend_as_django_says(
    compare: Callable[..., tuple[Seen, Seen]],
) -> None:
    for name, args in {"add": [1, 2], "fail": ["no"]}.items():
        stock, ours = compare(name, *args)

        assert [one["sender"] for one in ours[:-1]] == [DatabaseBackend] * 2
        # The stock worker sends the backend itself, but for the end of a failed task.
        assert isinstance(stock[0]["sender"], DatabaseBackend)


def test_a_receiver_of_task_started_that_raises_fails_the_task_by_either(
    compare: Callable[..., tuple[Seen, Seen]],
) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("not this one")

    task_started.connect(refuse)
    try:
        stock, ours = compare("add", 1, 2)
    finally:
        task_started.disconnect(refuse)

    assert_same(ours, stock)
    assert ours[-1]["traceback"] == "RuntimeError: not this one"


def test_a_receiver_of_task_finished_that_raises_changes_no_verdict_of_ours(
    compare: Callable[..., tuple[Seen, Seen]],
) -> None:
    # The stock worker makes a failure of it, and the same receiver's next exception stops it.
    failures = [RuntimeError("a receiver")]

    def refuse(**_: Any) -> None:
        if failures:
            raise failures.pop()

    task_finished.connect(refuse)
    try:
        stock, _ = compare("add", 1, 2)
        failures.append(RuntimeError("a receiver"))
        ours = seen_while(run_by_ours, f"{tasks.__name__}.add", 1, 2)
    finally:
        task_finished.disconnect(refuse)

    assert stock[-1]["status"] == "FAILED"
    assert (ours[-1]["status"], ours[-1]["return_value"]) == ("SUCCESSFUL", 3)


@pytest.mark.parametrize("name", ["return_set", "return_nan"])
def test_a_result_that_is_no_json_has_a_type_of_its_own_with_ours(
    compare: Callable[..., tuple[Seen, Seen]], name: str
) -> None:
    stock, ours = compare(name)

    for one in (stock, ours):
        assert [part.get("signal") for part in one] == ["task_started", "task_finished", None]
        assert (one[1]["status"], one[-1]["status"]) == ("FAILED", "FAILED")
    assert ours[-1]["exception_class_path"] == "tasks_api.exceptions.ResultNotStorable"
    assert stock[-1]["exception_class_path"] != ours[-1]["exception_class_path"]


def test_receivers_of_ours_are_given_the_return_value_as_it_is_stored(
    compare: Callable[..., tuple[Seen, Seen]],
) -> None:
    stock, ours = compare("return_tuple")

    assert stock[1].pop("_return_value") == (1, 2)
    assert ours[1].pop("_return_value") == [1, 2]
    assert_same(ours, stock)


# Asynchronous tasks.


def test_the_thread_of_a_coroutines_synchronous_code_ends_with_it() -> None:
    threads: list[threading.Thread] = []
    stops = Stops(new_page())

    async def exit_from_another() -> None:
        threads.append(await sync_to_async(threading.current_thread)())
        other = asyncio.create_task(tasks.exit_later.func())
        await asyncio.sleep(60)
        await other

    with pytest.raises(SystemExit):
        run_coroutine(exit_from_another, stops, lambda: None)
    threads.append(run_coroutine(sync_to_async(threading.current_thread), stops, lambda: None))

    assert [thread.is_alive() for thread in threads] == [False, False]


def test_a_coroutine_runs_in_the_main_thread_and_its_synchronous_code_in_one_of_its_own(
    store: Store, workers: Workers
) -> None:
    task_id = store.enqueue("tell_threads")
    workers.run_batch()

    assert set(store.get(task_id).return_value.values()) == {True}


def test_what_a_coroutine_does_to_its_connection_does_not_reach_the_next_task(
    store: Store, workers: Workers
) -> None:
    store.enqueue("leave_temporary_table", priority=2)
    finder = store.enqueue("find_temporary_table", priority=1)
    workers.run_batch()

    assert {task.status for task in store.tasks.all()} == {"SUCCESSFUL"}
    assert store.get(finder).return_value is False


@pytest.mark.parametrize("name", ["leave_atomic_block_open_later", "leave_transaction_open_later"])
def test_a_coroutine_that_leaves_a_transaction_open_fails_and_is_rolled_back(
    store: Store, workers: Workers, name: str
) -> None:
    task_id = store.enqueue(name)
    follower = store.enqueue("wait_for_nothing")
    workers.run_batch()

    task = store.get(task_id)
    assert task.status == "FAILED"
    assert task.exception_class_path == "tasks_api.exceptions.TransactionLeftOpen"
    assert store.get(follower).status == "SUCCESSFUL"
    assert set(store.tasks.values_list("priority", flat=True)) == {0}


def test_an_exception_says_more_than_the_transaction_that_it_left_open(
    store: Store, workers: Workers
) -> None:
    task_id = store.enqueue("leave_transaction_open_and_fail")
    workers.run_batch()

    assert store.get(task_id).traceback.endswith("RuntimeError: after that\n")
    assert set(store.tasks.values_list("priority", flat=True)) == {0}


def test_a_generator_that_a_coroutine_leaves_open_is_closed_while_it_has_its_connection(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    path = tmp_path / "generator"
    task_id = store.enqueue("leave_generator_open", str(path), priority=2)
    follower = store.enqueue("wait_for_nothing", priority=1)
    workers.run_batch()

    assert path.read_text() == "closed"
    task = store.get(task_id)
    assert task.exception_class_path == "tasks_api.exceptions.TransactionLeftOpen"
    assert store.get(follower).status == "SUCCESSFUL"


def test_what_a_coroutine_leaves_running_is_cancelled_while_it_has_its_connection(
    store: Store, workers: Workers, tmp_path: Path
) -> None:
    file = tmp_path / "count"
    task_id = store.enqueue("leave_another_running", str(file))
    workers.run_batch()

    assert store.get(task_id).status == "SUCCESSFUL"
    assert file.read_text() == "1"
    assert "Traceback" not in workers.log()
