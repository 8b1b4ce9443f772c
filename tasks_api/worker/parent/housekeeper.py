"""
Removes what is past its time, now and then, for all workers of a database.

A thread of the parent, which runs no task: neither does a task delay this, nor this a task.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from tasks_api.models import Chore, ChoreQuerySet
from tasks_api.retention.pruning import prune
from tasks_api.worker.connection import DATABASE_ERRORS, discard

logger = logging.getLogger("tasks_api.worker")

CHORE = "prune"
STOP_SECONDS = 2.5
LOOK_SECONDS = 60.0
"""How often it is looked whether it is time, at most."""


@contextmanager
def housekeeping(alias: str, *, every: float) -> Iterator[None]:
    """Have a thread prune whenever nobody has for `every` seconds, for as long as the block takes."""
    housekeeper = Housekeeper(alias, every=every)
    housekeeper.start()
    try:
        yield
    finally:
        housekeeper.stop()


class Housekeeper(threading.Thread):
    """Prunes where nobody else has for `every` seconds, until it is told to stop."""

    def __init__(self, alias: str, *, every: float) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._alias = alias
        self._every = every
        self._stopping = threading.Event()
        self._kept_at = 0.0

    def stop(self) -> None:
        """Let it end after the batch that it is at; a database that hangs is not waited for."""
        self._stopping.set()
        self.join(STOP_SECONDS)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except Exception as error:
                discard(self._alias)
                is_bug = not isinstance(error, DATABASE_ERRORS)
                logger.warning("What is past its time stays: %s", error, exc_info=is_bug)
            finally:
                # Not to be held for what happens once in a while.
                connections.close_all()
            self._stopping.wait(min(LOOK_SECONDS, self._every))

    def _look(self) -> None:
        if not self._chores.take_turn(CHORE, every=self._every):
            return
        self._kept_at = time.monotonic()
        removed = prune(self._rest)
        if self._stopping.is_set():
            self._chores.give_turn_back(CHORE, every=self._every)
        for name, number in removed.items():
            if number:
                logger.info("Removed %s: %d", name, number)

    @property
    def _chores(self) -> ChoreQuerySet:
        return Chore.objects.using(self._alias)

    def _rest(self, seconds: float) -> bool:
        """Pause, tell others that somebody is still at it, and tell whether to stop."""
        if time.monotonic() - self._kept_at > self._every / 4:
            self._chores.keep_turn(CHORE)
            self._kept_at = time.monotonic()
        return self._stopping.wait(seconds)
