"""Removing everything that has expired, without blocking other writers."""

import time
from collections.abc import Callable

from tasks_api.retention.expired import sweeps

FIRST_BATCH, SMALLEST_BATCH, LARGEST_BATCH = 50, 10, 1000
BATCH_SECONDS = 0.03
"""How long a batch should take: on SQLite, other writers wait for it."""

REST_FACTOR = 2
"""The pause after a batch, as a multiple of its duration: others have two thirds of the time."""


def prune(rest: Callable[[float], bool]) -> dict[str, int]:
    """
    Remove expired rows in batches, and return the number of each kind.

    `rest` waits for a number of seconds, and returns True to end early.
    """
    removed: dict[str, int] = {}
    for sweep in sweeps():
        size, is_last = FIRST_BATCH, False
        while not is_last:
            start = time.monotonic()
            batch = sweep.remove(size)
            seconds = time.monotonic() - start
            removed[sweep.name] = removed.get(sweep.name, 0) + batch.removed
            is_last = batch.is_last
            size = _next_size(size, seconds)
            if rest(REST_FACTOR * seconds):
                return removed
    return removed


def would_prune() -> dict[str, int]:
    """Count expired rows without removing them."""
    counted: dict[str, int] = {}
    for sweep in sweeps():
        counted[sweep.name] = counted.get(sweep.name, 0) + sweep.count()
    return counted


def _next_size(size: int, seconds: float) -> int:
    if seconds > BATCH_SECONDS:
        return max(size // 2, SMALLEST_BATCH)
    if seconds < BATCH_SECONDS / 2:
        return min(size * 2, LARGEST_BATCH)
    return size
