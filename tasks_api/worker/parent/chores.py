"""
Work that is done now and then beside the tasks, in threads of the worker's parent.

An app registers its own in its `AppConfig.ready()`:

    register_chore(Chore(name="send reports", every=60, work=send_reports, one_worker_of_all=True))

Each chore has a thread of its own: none delays another, nor a task.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.models import ChoreTurn, ChoreTurnQuerySet
from tasks_api.worker.connection import answer_seconds, discard_all, discard_open_transactions
from tasks_api.worker.forked import end_copy_of

logger = logging.getLogger("tasks_api.worker")

STOP_SECONDS = 2.5
LONGEST_PAUSE_SECONDS = 60.0
"""How often it is looked whether another worker has left a turn, at least."""
KEPT_OPEN_SECONDS = 2.0
"""A pause that takes as long is one without a connection."""
MAX_NAME_LENGTH = ChoreTurn._meta.get_field("name").max_length or 0

type Rest = Callable[[float], bool]
"""Pauses for so many seconds at most, and tells whether to end before all is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """
    Something to do now and then.

    Attributes:
        name: what logs and the table of turns call it; 32 characters at most.
        every: the seconds from one turn to the next.
        work: does it, given the alias of the tasks' database and `rest`, to be called at least every
            `every / 4` seconds where it takes longer. What it raises is logged; its next turn comes
            all the same.
        one_worker_of_all: whether one of the workers of the database does it for all of them. The
            first turn then is `every` seconds after the first worker's start; otherwise each
            parent's first turn is at its start.

    """

    name: str
    every: float
    work: Callable[[str, Rest], None]
    one_worker_of_all: bool


_registered: dict[str, Chore] = {}


def register_chore(chore: Chore) -> None:
    """
    Have the parent of every worker do a chore; registering the same one again changes nothing.

    Raises:
        ImproperlyConfigured: its name is too long or another chore's.

    """
    if len(chore.name) > MAX_NAME_LENGTH:
        raise ImproperlyConfigured(
            f"The name of the chore {chore.name!r} has more than {MAX_NAME_LENGTH} characters."
        )
    if _registered.setdefault(chore.name, chore) != chore:
        raise ImproperlyConfigured(f"There are two chores named {chore.name!r}.")


def registered_chores() -> list[Chore]:
    return list(_registered.values())


@contextmanager
def doing(chores: Collection[Chore], alias: str) -> Iterator[None]:
    """Do the chores in threads of their own for as long as the block takes."""
    threads = [ChoreThread(chore, alias) for chore in chores]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.stopping.set()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads:
            # A database that hangs is not waited for.
            thread.join(max(0.0, deadline - time.monotonic()))


class ChoreThread(threading.Thread):
    """Does one chore at each of its turns until `stopping` is set."""

    def __init__(self, chore: Chore, alias: str) -> None:
        super().__init__(name=f"chore {chore.name}", daemon=True)
        self.stopping = threading.Event()
        self._chore = chore
        self._alias = alias
        self._pause = chore.every
        if chore.one_worker_of_all:
            self._pause = min(chore.every, LONGEST_PAUSE_SECONDS)
        self._noted_at = 0.0
        self._was_interrupted = False

    def run(self) -> None:
        pid = os.getpid()
        while not self.stopping.is_set():
            try:
                try:
                    self._take_turn()
                finally:
                    end_copy_of(pid)
                discard_open_transactions()
            except BaseException as error:
                discard_all()
                self._log_failure(error)
            if self._pause >= KEPT_OPEN_SECONDS:
                # Not to be held for what happens once in a while.
                connections.close_all()
            self.stopping.wait(self._pause)
        connections.close_all()

    def _take_turn(self) -> None:
        name, every = self._chore.name, self._chore.every
        if not self._chore.one_worker_of_all:
            self._chore.work(self._alias, self.stopping.wait)
            return
        with database_answers_within(answer_seconds()):
            is_ours = self._turns.take_turn(name, every=every)
        if not is_ours:
            return
        self._noted_at = time.monotonic()
        self._was_interrupted = False
        # An app's own statements take as long as they take.
        self._chore.work(self._alias, self._rest)
        if self._was_interrupted:
            with database_answers_within(answer_seconds()):
                self._turns.give_turn_back(name, every=every)

    @property
    def _turns(self) -> ChoreTurnQuerySet:
        return ChoreTurn.objects.using(self._alias)

    def _rest(self, seconds: float) -> bool:
        """Pause, tell other workers that somebody is still at it, and tell whether to stop."""
        if time.monotonic() - self._noted_at > self._chore.every / 4:
            with database_answers_within(answer_seconds()):
                self._turns.keep_turn(self._chore.name)
            self._noted_at = time.monotonic()
        self._was_interrupted = self.stopping.wait(seconds)
        return self._was_interrupted

    def _log_failure(self, error: BaseException) -> None:
        logger.warning(
            "Chore %r failed and is tried again at its next turn: %s",
            self._chore.name,
            error,
            exc_info=not isinstance(error, DATABASE_ERRORS),
        )
