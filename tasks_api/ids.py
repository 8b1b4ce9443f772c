"""
Task ids that contain the task's owner and sort by time.

An id is a UUID of version 8 (RFC 9562): 32 bits of client number, 48 bits of Unix time in
milliseconds, 42 random bits, around the version and the variant. So one client's tasks are adjacent
in the primary key, in the order of enqueueing, and the owner of a task is read from its id without a
query.

This module imports no other of ours: a task backend loads it while `@task` runs, before the apps are
loaded.
"""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

PROJECT = 0
"""The owner number of the project's own code."""

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_RANDOM_BITS = 42
_LOW_TIME_BITS = 20
_VERSION = 8
_VARIANT = 0b10

_next_owner: ContextVar[int | None] = ContextVar("tasks_api_next_owner", default=None)
_default_owner: ContextVar[int] = ContextVar("tasks_api_default_owner", default=PROJECT)


def new_task_id() -> UUID:
    """
    Generate an id for the owner given to `next_id_belongs_to()`, otherwise for the default owner.

    Only the first id is for that owner: tasks that a receiver of `task_enqueued`, or a task that runs
    immediately, enqueues are not the client's.
    """
    owner = _next_owner.get()
    if owner is None:
        owner = _default_owner.get()
    else:
        _next_owner.set(None)
    return id_for(owner)


def id_for(owner: int) -> UUID:
    """Generate an id for a task of this owner, enqueued now."""
    return task_id(owner, time.time_ns() // 1_000_000, secrets.randbits(_RANDOM_BITS))


def task_id(owner: int, milliseconds: int, random: int) -> UUID:
    """Build an id; `random=0` gives the lowest id of that owner and millisecond."""
    high_time, low_time = divmod(milliseconds, 1 << _LOW_TIME_BITS)
    top_time, middle_time = divmod(high_time, 1 << 12)
    return UUID(
        int=owner << 96
        | top_time << 80
        | _VERSION << 76
        | middle_time << 64
        | _VARIANT << 62
        | low_time << _RANDOM_BITS
        | random
    )


def canonical_id(identifier: str) -> str:
    """Write a UUID in lower case, as tasks have it; clients may write it in any case (RFC 9562)."""
    return identifier.lower() if _UUID.fullmatch(identifier) else identifier


def owner_of(identifier: UUID) -> int:
    """Read the owner's number; ids of other versions belong to the project's own code."""
    if identifier.version != _VERSION:
        return PROJECT
    return identifier.int >> 96


@contextmanager
def next_id_belongs_to(owner: int) -> Iterator[None]:
    """Make a client the owner of the next id that is generated in this context."""
    token = _next_owner.set(owner)
    try:
        yield
    finally:
        _next_owner.reset(token)


@contextmanager
def ids_belong_to(owner: int) -> Iterator[None]:
    """Make a client the owner of all ids that are generated in this context."""
    token = _default_owner.set(owner)
    try:
        yield
    finally:
        _default_owner.reset(token)


def default_owner() -> int:
    """Return the owner of tasks enqueued in this context; the project by default."""
    return _default_owner.get()
