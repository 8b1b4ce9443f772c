"""How many connections each web process has, so that new ones go where there are fewest."""

import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager

PROCESSES = 256
YIELD_SECONDS = 0.002
"""How long a process leaves a new connection to those that have fewer."""

# Made in the arbiter: the memory that all processes share after the fork. Per process, one more than it has;
# zero for none.
_counts = memoryview(mmap.mmap(-1, 4 * PROCESSES)).cast("I")


class Share:
    """The connections of this process, beside those of the others."""

    def __init__(self, age: int) -> None:
        self._place = age % PROCESSES

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """Be one of the processes for the time of the block."""
        self.update(0)
        try:
            yield
        finally:
            forget(self._place)

    def update(self, count: int) -> None:
        _counts[self._place] = count + 1

    def yield_to_others(self, count: int) -> None:
        """Give the others a moment to accept a connection, if some have fewer than this process."""
        self.update(count)
        if any(0 < other <= count for other in _counts):
            time.sleep(YIELD_SECONDS)


def forget(age: int) -> None:
    """Stop counting a process that has ended."""
    _counts[age % PROCESSES] = 0
