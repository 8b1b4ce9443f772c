"""
A request that is sent twice enqueues once: what a client's `Idempotency-Key` has led to is kept.

A pending record is written first, then the task, then the record is completed. Where both live in one
database that is one transaction: a crash leaves neither. Elsewhere a crash leaves the pending record,
so that nothing is enqueued twice: requests with its key are answered 409 until it has ended.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connections, router, transaction
from django.utils import timezone
from pydantic import TypeAdapter

from tasks_api.backends import Call, StoredTask, adapter_for
from tasks_api.calls.enqueueing import EnqueuedAllTheSame
from tasks_api.json_text import json_text
from tasks_api.models import IdempotencyRecord
from tasks_api.problems import IdempotencyInProgress, IdempotencyKeyReused
from tasks_api.timestamps import timestamp

type Calls = Sequence[Call]

LIFETIME = timedelta(hours=24)
"""For how long a key stands for its first request."""

WAIT_SECONDS = 5.0
"""How long a request waits for another one with its key."""

_INTERVAL_SECONDS = 0.05
_snapshot: TypeAdapter[StoredTask] = TypeAdapter(StoredTask)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRequest:
    """A client's request under a key; the fingerprint tells whether two ask for the same."""

    client: int
    key: str
    fingerprint: str

    @classmethod
    def of(cls, client: int, key: str, path: str, body: Any) -> "KeyedRequest":
        """Take the fingerprint of what is asked for; how its JSON is written does not matter."""
        meaning = json.dumps([path.rstrip("/"), body], sort_keys=True)
        fingerprint = hashlib.sha256(meaning.encode()).hexdigest()
        return cls(client=client, key=key, fingerprint=fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """
    What a request to enqueue has led to.

    Attributes:
        tasks: those just stored; of a replay those, as they were, whose backend keeps no results.
        replayed: the ids of the other tasks of a replay, to be read again; None where the request is
            the first with its key, or has none.

    """

    tasks: list[StoredTask]
    replayed: list[str] | None = None

    @classmethod
    def before(cls, entries: list[Any]) -> "Enqueued":
        """Take up what a record has kept of the first request's tasks."""
        return cls(
            tasks=[_restored(entry) for entry in entries if not isinstance(entry, str)],
            replayed=[entry for entry in entries if isinstance(entry, str)],
        )


class _AnotherIsFirst(Exception):
    """A request with the same key is being served."""


def enqueue_once(
    request: KeyedRequest | None,
    check: Callable[[], Calls],
    enqueue: Callable[[Calls], list[StoredTask]],
) -> Enqueued:
    """
    Check calls and enqueue them, unless a request with the same key came before.

    Raises:
        IdempotencyKeyReused: 422, that request was another one.
        IdempotencyInProgress: 409, it is not done, and was not within `WAIT_SECONDS`.
        Problem: what checking and enqueueing raise; the key is then unused.

    """
    if request is None:
        return Enqueued(tasks=enqueue(check()))
    calls: Calls | None = None
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        record = _record_of(request)
        if record is None:
            try:
                calls = calls or check()
                return Enqueued(tasks=_enqueue_first(request, calls, enqueue))
            except _AnotherIsFirst:
                pass
        elif record.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused
        elif record.tasks is not None:
            return Enqueued.before(record.tasks)
        if time.monotonic() >= deadline:
            raise IdempotencyInProgress(headers={"Retry-After": "1"})
        _let_others_use_the_connection()
        time.sleep(_INTERVAL_SECONDS)


def _record_of(request: KeyedRequest) -> IdempotencyRecord | None:
    records = IdempotencyRecord.objects.using(_database())
    record = records.filter(client_number=request.client, key=request.key).first()
    if record is not None and record.created_at <= timezone.now() - LIFETIME:
        # By its primary key: a new record that another request has just written stays.
        records.filter(pk=record.pk).delete()
        return None
    return record


def _enqueue_first(
    request: KeyedRequest, calls: Calls, enqueue: Callable[[Calls], list[StoredTask]]
) -> list[StoredTask]:
    databases = {adapter_for(call.task.backend).database for call in calls}
    with _record_for(request, is_transaction=databases == {_database()}) as record:
        tasks = enqueue(calls)
        record.tasks = [_kept(task) for task in tasks]
        record.save(update_fields=["tasks"])
    return tasks


@contextmanager
def _record_for(request: KeyedRequest, *, is_transaction: bool) -> Iterator[IdempotencyRecord]:
    """Hold the key of a request for as long as the block takes; should it fail, free it again."""
    if is_transaction:
        with transaction.atomic(using=_database()):
            _refuse_to_wait_in_the_database(request)
            yield _write_pending(request)
        return
    record = _write_pending(request)
    try:
        yield record
    except EnqueuedAllTheSame:
        raise
    except Exception:
        if not record.tasks:
            # Nothing was handed to the backend: the key is free for another try.
            record.delete()
        raise


def _write_pending(request: KeyedRequest) -> IdempotencyRecord:
    record = IdempotencyRecord(
        client_number=request.client,
        key=request.key,
        fingerprint=request.fingerprint,
        created_at=timezone.now(),
    )
    try:
        record.save(using=_database(), force_insert=True)
    except IntegrityError:
        raise _AnotherIsFirst from None
    return record


def _refuse_to_wait_in_the_database(request: KeyedRequest) -> None:
    """
    Take a lock that is free or given up at once, where PostgreSQL would let the insert wait.

    Raises:
        _AnotherIsFirst: another request holds it; that waits, but without a connection.

    """
    connection = connections[_database()]
    if connection.vendor == "postgresql":
        name = hashlib.sha256(f"{request.client} {request.key}".encode()).digest()[:8]
        with connection.cursor() as cursor:
            number = int.from_bytes(name, signed=True)
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            if not cursor.fetchone()[0]:
                raise _AnotherIsFirst


def _let_others_use_the_connection() -> None:
    connection = connections[_database()]
    if not connection.in_atomic_block:
        connection.close()


def _database() -> str:
    return router.db_for_write(IdempotencyRecord)


def _kept(task: StoredTask) -> Any:
    """Keep the id of a task that can be read again, and otherwise all that there is of it."""
    if adapter_for(task.backend).keeps_results:
        return task.id
    fields = {
        name: timestamp(value) if isinstance(value, datetime) else value
        for name, value in asdict(task).items()
    }
    # As text: no store takes every value that a task may have returned at once.
    return {"task": json_text(fields)}


def _restored(entry: Any) -> StoredTask:
    return _snapshot.validate_python(json.loads(entry["task"]))
