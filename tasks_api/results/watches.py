"""What a request waits for, and when to look for it."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks_api.backends import Adapter, State, StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.results.members import values_of_members

TICK_SECONDS = 0.02
"""All watches that are due in a tick share one query."""

PACES = ((1.0, 1), (5.0, 2), (30.0, 5))
"""For how long, in seconds, a watch is due every so many ticks; most tasks end soon or take long."""

SLOWEST_PACE = 10

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


@dataclass(eq=False, slots=True, kw_only=True)
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
        seconds: how long it lasts at most.
        judged_at: when it was last checked that the caller may read the task.
        was_refused: whether it has ended because the caller may not read the task any more.
        was_in_vain: whether it has ended because the time was up.
        was_blind: whether the task could not be looked at then, so that the database had better not be asked again.

    """

    awaited: Awaited
    seconds: float
    on_end: Callable[[], object]
    since: float = field(default_factory=time.monotonic)
    judged_at: float = field(default_factory=time.monotonic)
    earliest: float = 0.0
    deadline: float = field(init=False)
    was_refused: bool = False
    was_in_vain: bool = False
    was_blind: bool = False

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.seconds

    def next_tick(self, now: float) -> int:
        """Return when to look again: at a multiple of the pace, so that watches are looked at together."""
        age, pace = now - self.since, SLOWEST_PACE
        for until, ticks in PACES:
            if age < until:
                pace = ticks
                break
        tick = (int(now / TICK_SECONDS) // pace + 1) * pace
        return min(max(tick, tick_at(self.earliest)), tick_at(self.deadline))


def tick_at(seconds: float) -> int:
    """Return the first tick that is not earlier than this time by `time.monotonic()`."""
    return math.ceil(seconds / TICK_SECONDS)
