"""
Task ids that know their owner and sort by time.

An id is a UUID of version 8 (RFC 9562): 32 bits of client number, 48 bits of Unix time in
milliseconds, 42 random bits, around the version and the variant. One client's tasks therefore lie
together in the primary key, in the order of enqueueing, and who owns a task is read from its id
without a query.

This module imports nothing of ours: a task backend loads it while `@task` runs, before the apps are.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

PROJECT = 0
"""The owner number of the project's own code."""

_RANDOM_BITS = 42
_LOW_TIME_BITS = 20
_VERSION = 8
_VARIANT = 0b10

_next_owner: ContextVar[int | None] = ContextVar("tasks_api_next_owner", default=None)
_usual_owner: ContextVar[int] = ContextVar("tasks_api_usual_owner", default=PROJECT)


def new_task_id() -> UUID:
    """
    Draw an id for the owner that `next_id_belongs_to()` named, else for the usual one.

    The first id that is drawn uses that owner up: what a receiver of `task_enqueued`, or a task that
    runs at once, enqueues on its own is not the client's.
    """
    owner = _next_owner.get()
    if owner is None:
        owner = _usual_owner.get()
    else:
        _next_owner.set(None)
    return task_id(owner, time.time_ns() // 1_000_000, secrets.randbits(_RANDOM_BITS))


def task_id(owner: int, milliseconds: int, random: int) -> UUID:
    """Put an id together; `random=0` gives the lowest id of that owner and millisecond."""
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


def owner_of(identifier: UUID) -> int:
    """Read the owner's number; an id of any other version was drawn by the project's own code."""
    if identifier.version != _VERSION:
        return PROJECT
    return identifier.int >> 96


@contextmanager
def next_id_belongs_to(owner: int) -> Iterator[None]:
    """Give the next id that is drawn in this context to a client."""
    token = _next_owner.set(owner)
    try:
        yield
    finally:
        _next_owner.reset(token)


@contextmanager
def ids_belong_to(owner: int) -> Iterator[None]:
    """Give every id that is drawn in this context to a client."""
    token = _usual_owner.set(owner)
    try:
        yield
    finally:
        _usual_owner.reset(token)


def usual_owner() -> int:
    """Return whose the tasks are that this context enqueues: the project's unless it said so."""
    return _usual_owner.get()
