"""Going on until all is gone that is past its time, without holding anybody up."""

import time
from collections.abc import Callable

from tasks_api.retention.past_their_time import sweeps

FIRST_BATCH, SMALLEST_BATCH, LARGEST_BATCH = 50, 10, 1000
BATCH_SECONDS = 0.03
"""How long a batch should take: on SQLite others wait for it before they can write."""

TIMES_REST = 2
"""How many times as long as a batch took its rest is: others have two thirds of the time."""


def prune(rest: Callable[[float], bool]) -> dict[str, int]:
    """
    Remove what is past its time, batch by batch, and return how many there were of each kind.

    `rest` lets so many seconds pass, and tells whether to end before all is done.
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
            if rest(TIMES_REST * seconds):
                return removed
    return removed


def would_prune() -> dict[str, int]:
    """Count what is past its time, and leave it."""
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
