"""A value that is costly to compute, shared by all threads of a process for some time."""

import threading
import time
from collections.abc import Callable

MIN_SECONDS = 5.0
"""How long a value is shared at least."""

COST_FACTOR = 10
"""How long a value is shared, as a multiple of the time that computing it took."""


class Shared[Value]:
    """
    A value that one thread at a time computes, while the others get the last one.

    They wait only while there is none yet.
    """

    def __init__(self, compute: Callable[[], Value]) -> None:
        self._compute = compute
        self._computing = threading.Lock()
        self._last: tuple[Value, float] | None = None

    def get(self) -> Value:
        """Return the value, computed now or earlier; raises what computing raises."""
        last = self._last
        if last is None:
            self._computing.acquire()
        elif time.monotonic() < last[1] or not self._computing.acquire(blocking=False):
            return last[0]
        try:
            newest = self._last
            if newest is None or newest is last:
                newest = self._last = self._computed()
            return newest[0]
        finally:
            self._computing.release()

    def forget(self) -> None:
        """Discard the value, so that the next `get()` computes it again."""
        self._last = None

    def _computed(self) -> tuple[Value, float]:
        start = time.monotonic()
        value = self._compute()
        end = time.monotonic()
        return value, end + max(MIN_SECONDS, COST_FACTOR * (end - start))
