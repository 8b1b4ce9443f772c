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
from dataclasses import dataclass
from typing import Any

from django.db import connections

from tasks_api.backends import Adapter, State, StoredTask
from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.clients.caller import Caller
from tasks_api.clients.judging import no_longer_reading
from tasks_api.clients.keys import forget_remembered_keys
from tasks_api.conf import tasks_api_settings
from tasks_api.results.members import task_members, values_of_members

logger = logging.getLogger("tasks_api.results")

TICK_SECONDS = 0.02
"""All watches that are due in a tick share one query."""

PACES = ((1.0, 1), (5.0, 2), (30.0, 5))
"""For how long, in seconds, a watch is due every so many ticks; most tasks end soon or take long."""

SLOWEST_PACE = 10
PAUSE_SECONDS = 1.0
"""Between two looks while the database cannot be asked."""

LOOK_SECONDS = 2.0
"""How long the database may take for one look: time is up for some of the watches meanwhile."""


type Appearance = tuple[State, Mapping[str, Any]]
"""What is looked at to see whether a task has changed; the members are those of optional apps."""


def appearance_of(task: StoredTask) -> Appearance:
    """Return what a task looks like, as it was read."""
    return task.state, values_of_members([task]).get(task.id, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """
    What a client waits for: that a task is finished or, if `seen` is given, is not as it was seen any more.

    Attributes:
        seen: what `appearance_of` has returned for the task.

    """

    adapter: Adapter
    task_id: str
    caller: Caller
    seen: Appearance | None = None

    def is_over(self, state: State | None, members: Mapping[str, Any]) -> bool:
        """Tell whether the task looking like this, or being gone, is what is waited for."""
        if state is None:
            return True
        return state.is_finished if self.seen is None else (state, members) != self.seen


class Watch:
    """
    Somebody's waiting, which ends once.

    It ends when what is awaited has happened, or cannot happen because the task was removed; when the time is up,
    the caller may not read the task any more, or the process is about to stop.

    Attributes:
        on_end: called at the end, in the poller's thread, where it must not wait for anything.
        since: when the task last changed, as far as the watcher knows, by `time.monotonic()`: the longer ago
            that is, the less often the task is looked at.
        earliest: when to look for the first time, at the earliest.
        was_refused: whether it has ended because the caller may not read the task any more.

    """

    __slots__ = ("awaited", "deadline", "earliest", "on_end", "since", "was_refused")

    def __init__(
        self,
        awaited: Awaited,
        *,
        seconds: float,
        on_end: Callable[[], object],
        since: float | None = None,
        earliest: float = 0.0,
    ) -> None:
        now = time.monotonic()
        self.awaited = awaited
        self.on_end = on_end
        self.since = now if since is None else since
        self.earliest = earliest
        self.deadline = now + seconds
        self.was_refused = False

    def next_tick(self, now: float) -> int:
        """Return when to look again: at a multiple of the pace, so that watches are looked at together."""
        age, pace = now - self.since, SLOWEST_PACE
        for until, ticks in PACES:
            if age < until:
                pace = ticks
                break
        tick = (int(now / TICK_SECONDS) // pace + 1) * pace
        return min(max(tick, _tick_at(self.earliest)), _tick_at(self.deadline))


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
        self._next_judgement = 0.0

    def add(self, watch: Watch) -> None:
        """
        Begin to watch; at the end of the process, the watch ends at once.

        Raises:
            RuntimeError: the process cannot have another thread.

        """
        with self._changed:
            is_stopping = self.is_stopping
            if not (is_stopping or (self._thread and self._thread.is_alive())):
                # A daemon: it waits for tasks, and nothing waits for it. It cannot look before it has the lock.
                thread = threading.Thread(target=self._run, name="waiting", daemon=True)
                thread.start()
                self._thread = thread
            self._watches[watch] = None
            self._plan(watch)
            self._changed.notify()
        if is_stopping:
            self._end(watch)

    def discard(self, watch: Watch) -> bool:
        """Stop watching, without its end; return False if it has ended already."""
        return self._watches.pop(watch, watch) is None

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
            tick = max(tick, _tick_at(min(earliest, watch.deadline)))
        if tick in self._due:
            self._due[tick].append(watch)
        else:
            self._due[tick] = [watch]
            heapq.heappush(self._ticks, tick)

    def _end(self, watch: Watch) -> None:
        if self.discard(watch):
            try:
                watch.on_end()
            except Exception:
                logger.exception("A request that waits for task %s was lost", watch.awaited.task_id)

    # In the thread.

    def _run(self) -> None:
        # The keys have just been checked.
        self._next_judgement = time.monotonic() + _seconds_between_judgements()
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
                    self._thread = None
                    return []
                self._changed.wait(self._ticks[0] * TICK_SECONDS - now)

    def _look(self, due: list[Watch]) -> None:
        over: list[Watch] = []
        earliest = 0.0
        try:
            with database_answers_within(LOOK_SECONDS):
                over = self._found_over(due)
                self._judge()
        except Exception as error:
            earliest = time.monotonic() + PAUSE_SECONDS
            self._report(error)
            connections.close_all()
        else:
            if self._has_failed:
                self._has_failed = False
                logger.info("The tasks that requests wait for can be read again")
        now = time.monotonic()
        for watch in over:
            self._end(watch)
        for watch in due:
            if watch.deadline <= now:
                self._end(watch)
        with self._changed:
            for watch in due:
                if watch in self._watches:
                    self._plan(watch, earliest)

    def _found_over(self, due: list[Watch]) -> list[Watch]:
        by_store: dict[Hashable, list[Watch]] = defaultdict(list)
        for watch in due:
            by_store[watch.awaited.adapter.store].append(watch)
        over = []
        for watches in by_store.values():
            adapter = watches[0].awaited.adapter
            states = adapter.states(list({watch.awaited.task_id for watch in watches}))
            members: Mapping[str, Mapping[str, Any]] = {}
            changing = {watch.awaited.task_id for watch in watches if watch.awaited.seen}
            if task_members and changing:
                members = values_of_members(list(adapter.pick(list(changing))))
            for watch in watches:
                task_id = watch.awaited.task_id
                if watch.awaited.is_over(states.get(task_id), members.get(task_id, {})):
                    over.append(watch)
        return over

    def _judge(self) -> None:
        """End the watches of clients whose key was revoked, or that may not read any more."""
        now = time.monotonic()
        if now < self._next_judgement:
            return
        self._next_judgement = now + _seconds_between_judgements()
        watches = list(self._watches)
        refused = no_longer_reading({watch.awaited.caller for watch in watches})
        if refused:
            # This process may have been told of them after they were judged.
            forget_remembered_keys()
        for watch in watches:
            if watch.awaited.caller in refused:
                watch.was_refused = True
                self._end(watch)

    def _report(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            logger.warning(
                "The tasks that requests wait for cannot be read; trying again every %d s: %s",
                PAUSE_SECONDS,
                error,
            )


def _tick_at(seconds: float) -> int:
    """Return the first tick that is not earlier."""
    return math.ceil(seconds / TICK_SECONDS)


def _seconds_between_judgements() -> int:
    return max(tasks_api_settings().remember_keys_seconds, 1)


poller = Poller()
"""The one of this process."""
