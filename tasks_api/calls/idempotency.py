"""
A request that is sent twice enqueues once: a record keeps the result of each `Idempotency-Key`.

A pending record is written first, then the task, then the record is completed. If both are in one
database, this is one transaction: a crash leaves neither. Otherwise a crash leaves the pending record,
so that nothing is enqueued twice: requests with its key are answered 409 until it expires.
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
from tasks_api.calls.enqueueing import EnqueuedIncompletely
from tasks_api.ids import canonical_id
from tasks_api.json_text import json_text
from tasks_api.models import IdempotencyRecord
from tasks_api.problems import IdempotencyInProgress, IdempotencyKeyReused
from tasks_api.timestamps import timestamp

type Calls = Sequence[Call]

LIFETIME = timedelta(hours=24)
"""How long a key stands for its first request."""

WAIT_SECONDS = 5.0
"""How long a request waits for another one with the same key."""

_INTERVAL_SECONDS = 0.05
_snapshot: TypeAdapter[StoredTask] = TypeAdapter(StoredTask)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRequest:
    """A client's request with a key; equal requests have equal fingerprints."""

    client: int
    key: str
    fingerprint: str

    @classmethod
    def of(cls, client: int, key: str, path: str, body: Any) -> "KeyedRequest":
        """Compute the fingerprint; the formatting of the JSON does not matter."""
        resource = [canonical_id(part) for part in path.rstrip("/").split("/")]
        meaning = json.dumps(["POST", "/".join(resource), body], sort_keys=True)
        fingerprint = hashlib.sha256(meaning.encode()).hexdigest()
        return cls(client=client, key=key, fingerprint=fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """
    The result of a request to enqueue.

    Attributes:
        tasks: the new tasks; in a replay, the recorded tasks of backends that keep no results.
        replayed: in a replay, the ids of the other tasks, which have to be read again; otherwise None.

    """

    tasks: list[StoredTask]
    replayed: list[str] | None = None

    @classmethod
    def replay(cls, entries: list[Any]) -> "Enqueued":
        """Restore the result of the first request from its record."""
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
    Check calls and enqueue them, unless there was an earlier request with the same key.

    Raises:
        IdempotencyKeyReused: 422, the earlier request was a different one.
        IdempotencyInProgress: 409, the earlier request did not finish within `WAIT_SECONDS`.
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
            return Enqueued.replay(record.tasks)
        if time.monotonic() >= deadline:
            raise IdempotencyInProgress(headers={"Retry-After": "1"})
        _let_others_use_the_connection()
        time.sleep(_INTERVAL_SECONDS)


def _record_of(request: KeyedRequest) -> IdempotencyRecord | None:
    records = IdempotencyRecord.objects.using(_database())
    record = records.filter(client_number=request.client, key=request.key).first()
    if record is not None and record.created_at <= timezone.now() - LIFETIME:
        # By primary key, to keep a new record that another request has just written.
        records.filter(pk=record.pk).delete()
        return None
    return record


def _enqueue_first(
    request: KeyedRequest, calls: Calls, enqueue: Callable[[Calls], list[StoredTask]]
) -> list[StoredTask]:
    databases = {adapter_for(call.task.backend).database for call in calls}
    with _record_for(request, is_transaction=databases == {_database()}) as record:
        tasks = enqueue(calls)
        # Enqueued: from here on the key stays used, whatever fails.
        record.tasks = []
        record.tasks = [_kept(task) for task in tasks]
        record.save(update_fields=["tasks"])
    return tasks


@contextmanager
def _record_for(request: KeyedRequest, *, is_transaction: bool) -> Iterator[IdempotencyRecord]:
    """Hold the key of a request during the block; if that fails, release the key."""
    if is_transaction:
        with transaction.atomic(using=_database()):
            _refuse_to_wait_in_the_database(request)
            yield _write_pending(request)
        return
    record = _write_pending(request)
    try:
        yield record
    except EnqueuedIncompletely:
        raise
    except Exception:
        if record.tasks is None:
            # Nothing was passed to the backend: the key can be used for another attempt.
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
    Take a lock, or fail immediately; on PostgreSQL, the insert would wait.

    Raises:
        _AnotherIsFirst: another request holds the lock; the caller waits without a connection.

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
    """Return the id of a task that can be read again, otherwise a copy of the task."""
    if adapter_for(task.backend).keeps_results:
        return task.id
    # As text: a JSON column cannot store every value that a task may have returned.
    return {"task": json_text(_with_texts(asdict(task)))}


def _with_texts(fields: dict[str, Any]) -> dict[str, Any]:
    """Write the times of a task, of its limits and of its errors as texts."""
    texts: dict[str, Any] = {}
    for name, value in fields.items():
        match value:
            case datetime():
                texts[name] = timestamp(value)
            case dict() if name == "limits":
                texts[name] = _with_texts(value)
            case list() if name == "errors":
                texts[name] = [_with_texts(error) for error in value]
            case _:
                texts[name] = value
    return texts


def _restored(entry: Any) -> StoredTask:
    return _snapshot.validate_python(json.loads(entry["task"]))
