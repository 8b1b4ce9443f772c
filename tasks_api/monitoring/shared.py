"""What is costly to find out, found out now and then and shared by all threads of a process."""

import threading
import time
from collections.abc import Callable

MIN_SECONDS = 5.0
"""For how long a value is shared at least."""

TIMES_COST = 10
"""How many times as long as it took a value is shared: finding out is a tenth of the time at most."""


class Shared[Value]:
    """
    A value that one thread at a time computes, while the others are given the last one.

    Only where there is none yet do they wait for it.
    """

    def __init__(self, compute: Callable[[], Value]) -> None:
        self._compute = compute
        self._computing = threading.Lock()
        self._last: tuple[Value, float] | None = None

    def get(self) -> Value:
        """Return the value, which may be as old as it is shared; what computing it raises passes."""
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
        """Have the next one who asks compute anew."""
        self._last = None

    def _computed(self) -> tuple[Value, float]:
        start = time.monotonic()
        value = self._compute()
        end = time.monotonic()
        return value, end + max(MIN_SECONDS, TIMES_COST * (end - start))
