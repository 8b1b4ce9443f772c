"""
Waiting for tasks: one thread of a process looks at all tasks that requests wait for, in one query a tick.

The thread runs while there are watches. A request that waits needs neither a thread nor a connection to the
database for that.
"""

import heapq
import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

from django.db import connections

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.clients.judging import no_longer_reading
from tasks_api.clients.keys import forget_remembered_keys
from tasks_api.conf import tasks_api_settings
from tasks_api.results.members import task_members, values_of_members
from tasks_api.results.watches import TICK_SECONDS, Watch, tick_at

logger = logging.getLogger("tasks_api.results")

PAUSE_SECONDS = 1.0
"""Between two looks while the database cannot be asked."""

LOOK_SECONDS = 2.0
"""How long the database may take for one look: time is up for some of the watches meanwhile."""


class Poller:
    """
    Looks at the tasks that are watched.

    Attributes:
        is_stopping: whether the process is about to stop, so that nothing waits any more.

    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Also without the lock: each watch is removed by one thread, which then ends it.
        self._watches: dict[Watch, None] = {}
        # Those that are due, by tick, and the ticks as a heap.
        self._due: dict[int, list[Watch]] = {}
        self._ticks: list[int] = []
        self._thread: threading.Thread | None = None
        self.is_stopping = self._has_failed = False
        self._next_judgement = math.inf

    def add(self, watch: Watch) -> None:
        """Begin to watch; if the process is about to stop, or can have no thread more, the watch ends at once."""
        with self._changed:
            self._watches[watch] = None
            if is_watched := not self.is_stopping and self._has_thread():
                judgement = watch.judged_at + _seconds_between_judgements()
                self._next_judgement = min(self._next_judgement, judgement)
                self._plan(watch)
                self._changed.notify()
        if not is_watched:
            self._end(watch)

    def _has_thread(self) -> bool:
        if self._thread is None or not self._thread.is_alive():
            # A daemon: it waits for tasks, and nothing waits for it. It cannot look before it has the lock.
            thread = threading.Thread(target=self._run, name="waiting", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                logger.exception("Requests cannot wait for tasks")
                return False
            self._thread = thread
        return True

    def discard(self, watch: Watch) -> bool:
        """Stop watching, without its end; return False if it has ended already."""
        is_ours = self._watches.pop(watch, watch) is None
        if is_ours:
            # It leads back to whoever waits, and would keep it until garbage is collected.
            watch.on_end = _nothing
        return is_ours

    def stop(self) -> None:
        """End all watches, and those to come, because the process is about to stop."""
        with self._changed:
            self.is_stopping = True
            watches = list(self._watches)
        for watch in watches:
            self._end(watch)

    def _plan(self, watch: Watch, earliest: float = 0.0) -> None:
        tick = watch.next_tick(time.monotonic())
        if earliest:
            tick = max(tick, tick_at(min(earliest, watch.deadline)))
        if tick in self._due:
            self._due[tick].append(watch)
        else:
            self._due[tick] = [watch]
            heapq.heappush(self._ticks, tick)

    def _end(self, watch: Watch) -> None:
        on_end = watch.on_end
        if self.discard(watch):
            try:
                on_end()
            except Exception:
                logger.exception("A request that waits for task %s was lost", watch.awaited.task_id)

    # In the thread.

    def _run(self) -> None:
        try:
            while due := self._wait():
                self._look(due)
        finally:
            connections.close_all()

    def _wait(self) -> list[Watch]:
        """Return the watches that are due, when some are; none when there are no more watches."""
        with self._changed:
            while True:
                now = time.monotonic()
                due: list[Watch] = []
                while self._ticks and self._ticks[0] * TICK_SECONDS <= now:
                    planned = self._due.pop(heapq.heappop(self._ticks))
                    due += [watch for watch in planned if watch in self._watches]
                if due:
                    return due
                if not self._watches:
                    self._due.clear()
                    self._ticks.clear()
                    self._next_judgement = math.inf
                    self._thread = None
                    return []
                if not self._ticks:
                    # What an error has left behind; it may be given up meanwhile.
                    for watch in list(self._watches):
                        self._plan(watch)
                    continue
                self._changed.wait(self._ticks[0] * TICK_SECONDS - now)

    def _look(self, due: list[Watch]) -> None:
        earliest = 0.0
        over: list[Watch] = []
        errors: list[Exception] = []
        by_store: dict[Hashable, list[Watch]] = defaultdict(list)
        for watch in due:
            by_store[watch.awaited.adapter.store].append(watch)
        looks: list[Callable[[], list[Watch]]]
        looks = [partial(self._over, watches) for watches in by_store.values()]
        for look in (*looks, self._refused):
            try:
                with database_answers_within(LOOK_SECONDS):
                    over += look()
            except Exception as error:
                errors.append(error)
        if errors:
            earliest = time.monotonic() + PAUSE_SECONDS
            connections.close_all()
        self._report(errors)
        now = time.monotonic()
        for watch in over:
            self._end(watch)
        for watch in due:
            if watch.deadline <= now and watch in self._watches:
                watch.was_in_vain, watch.was_blind = True, bool(errors)
                self._end(watch)
        with self._changed:
            for watch in due:
                if watch in self._watches:
                    self._plan(watch, earliest)

    def _over(self, watches: list[Watch]) -> list[Watch]:
        """Return those, all of one store, for which what is awaited has happened."""
        adapter = watches[0].awaited.adapter
        members: Mapping[str, Mapping[str, Any]] = {}
        states = adapter.states(list({watch.awaited.task_id for watch in watches}))
        changing = {watch.awaited.task_id for watch in watches if watch.awaited.seen}
        if task_members and changing:
            members = values_of_members(list(adapter.pick(list(changing))))
        over = []
        for watch in watches:
            task_id = watch.awaited.task_id
            if watch.awaited.is_over(states.get(task_id), members.get(task_id, {})):
                over.append(watch)
        return over

    def _refused(self) -> list[Watch]:
        """Return those of clients whose key was revoked, or that may not read any more, if it is time to ask."""
        now = time.monotonic()
        if now < self._next_judgement:
            return []
        self._next_judgement = now + _seconds_between_judgements()
        watches = list(self._watches)
        refused = no_longer_reading({watch.awaited.caller for watch in watches})
        if refused:
            # This process may have been told of them after they were judged.
            forget_remembered_keys()
        for watch in watches:
            watch.judged_at = now
            watch.was_refused = watch.awaited.caller in refused
        return [watch for watch in watches if watch.was_refused]

    def _report(self, errors: list[Exception]) -> None:
        """Log the first failure and the recovery, not each look that fails."""
        had_failed, self._has_failed = self._has_failed, bool(errors)
        if had_failed and not errors:
            logger.info("The tasks that requests wait for can be read again")
        for error in [] if had_failed else errors[:1]:
            logger.warning(
                "The tasks that requests wait for cannot be read; trying again every %d s: %s",
                PAUSE_SECONDS,
                error,
                exc_info=None if isinstance(error, DATABASE_ERRORS) else error,
            )


def _nothing() -> None:
    """Stands for what a watch has led to before its end."""


def _seconds_between_judgements() -> int:
    return max(tasks_api_settings().remember_keys_seconds, 1)


poller = Poller()
"""The one of this process."""
