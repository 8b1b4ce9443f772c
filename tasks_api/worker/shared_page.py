"""
A page of memory that the parent shares with one child: what runs there, and what is to stop.

Neither waits for the other: a child writes some numbers for each task, the parent reads them once in a
while. Where a task is stopped, nothing depends on the child's answering.
"""

import mmap
import os
import signal
import tempfile
import time
from enum import IntEnum
from typing import NamedTuple, Self
from uuid import UUID

STOP_SIGNAL: signal.Signals = getattr(signal, "SIGRTMIN", signal.SIGURG)
"""Tells a child to look for what is to stop; programs rarely use it for anything else."""

_NANOSECONDS = 1_000_000_000
_SIZE = mmap.PAGESIZE
# Where the numbers are, each of eight bytes, of which a processor writes all or none.
_RUN, _IS_RUNNING, _DEADLINE, _GRACE, _STOP_RUN, _STOP_REASON = range(6)
_TASK = slice(64, 80)


class StopReason(IntEnum):
    """Why a task is told to stop."""

    CANCELLED = 1
    TIMED_OUT = 2


class Running(NamedTuple):
    """
    What a child runs.

    Attributes:
        run: a number that no other run of this child has.
        deadline: when it is to stop, by `time.monotonic()`; None for no limit.
        grace: how many seconds it then has to end.

    """

    run: int
    task_id: UUID
    deadline: float | None
    grace: float


class SharedPage:
    """
    One page; whoever has opened the same file sees the same.

    The numbers of the run are the child's to write, those of the stop the parent's.
    """

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, _SIZE)
        self._numbers = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls) -> tuple[Self, int]:
        """Return a new page, and its file for the child."""
        if hasattr(os, "memfd_create"):
            file = os.memfd_create("tasks_api")
        else:
            with tempfile.TemporaryFile() as temporary:
                file = os.dup(temporary.fileno())
        try:
            # Written, so that a full disk is noticed here.
            os.write(file, bytes(_SIZE))
            return cls(file), file
        except OSError:
            os.close(file)
            raise

    # What the child does.

    def begin(self, task_id: UUID, *, timeout: float | None, grace: float) -> int:
        """Say that a task's code runs from now on; return the number of the run."""
        numbers = self._numbers
        numbers[_IS_RUNNING] = 0
        run = numbers[_RUN] + 1
        self._memory[_TASK] = task_id.bytes
        numbers[_DEADLINE] = 0
        if timeout is not None:
            numbers[_DEADLINE] = time.monotonic_ns() + int(timeout * _NANOSECONDS)
        numbers[_GRACE] = int(grace * _NANOSECONDS)
        numbers[_RUN] = run
        numbers[_IS_RUNNING] = 1
        return run

    def end(self) -> None:
        """Say that no task's code runs any more."""
        self._numbers[_IS_RUNNING] = 0

    def reason_to_stop(self, run: int) -> StopReason | None:
        """Return why this run is to stop; None if it is not."""
        if self._numbers[_STOP_RUN] != run:
            return None
        return StopReason(self._numbers[_STOP_REASON])

    # What the parent does.

    def running(self) -> Running | None:
        """Return what runs; None between two tasks."""
        numbers = self._numbers
        run = numbers[_RUN]
        deadline = numbers[_DEADLINE]
        found = Running(
            run=run,
            task_id=UUID(bytes=self._memory[_TASK]),
            deadline=deadline / _NANOSECONDS if deadline else None,
            grace=numbers[_GRACE] / _NANOSECONDS,
        )
        # Afterwards: the child may have gone on meanwhile.
        return found if numbers[_IS_RUNNING] and numbers[_RUN] == run else None

    def tell_to_stop(self, run: int, reason: StopReason) -> None:
        self._numbers[_STOP_REASON] = reason
        self._numbers[_STOP_RUN] = run
