"""The events about a task, for one client, until the task is finished."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple, Self

from django.db import close_old_connections

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.conf import tasks_api_settings
from tasks_api.http.holding.hold import HELD_ANSWER_SECONDS, close_connections
from tasks_api.http.holding.places import Place
from tasks_api.http.protocol.event_stream import COMMENT, event
from tasks_api.problems import NotFound, ResultsNotSupported, StoreUnavailable
from tasks_api.results.waiting import poller
from tasks_api.results.watches import Awaited, Watch

HEARTBEAT_SECONDS = 15.0
SECONDS_BETWEEN_EVENTS = 0.1
END = event("end")


class Shown(NamedTuple):
    """A task as a client sees it; the tag differs if it has changed, which is what is awaited next."""

    tag: str
    data: bytes
    is_finished: bool
    awaited: Awaited


def last_events(shown: Shown) -> bytes:
    """Return all there is to send about a finished task."""
    return event("task", shown.data, identifier=shown.tag) + END


class Stream:
    """
    A stream of events, and its place; `tasks_api.http.protocol.holding` says what calls its methods.

    Attributes:
        first: what is sent at once, until the wait begins.

    """

    is_stream: ClassVar[bool] = True

    def __init__(
        self, place: Place, show: Callable[[], Shown], *, shown: Shown, seen_tag: str
    ) -> None:
        """Begin with what was shown just now, unless it has the tag that the client has seen."""
        now = time.monotonic()
        self._place = place
        self._show = show
        self._tag = seen_tag
        self._changed_at = self._earliest = now
        self._until = now + tasks_api_settings().max_stream_seconds
        self._judged_at = now
        self._watch: Watch | None = None
        self._awaited = shown.awaited
        self.first, _ = self._events_of(shown)

    def start(self, then: Callable[[], object]) -> None:
        """Begin to wait; `then` is called once, in any thread, and must not wait for anything."""
        # It may be large, and is sent by now.
        self.first = b""
        self._watch = Watch(
            awaited=self._awaited,
            seconds=min(HEARTBEAT_SECONDS, self._until - time.monotonic()),
            on_end=then,
            since=self._changed_at,
            judged_at=self._judged_at,
            earliest=self._earliest,
        )
        poller.add(self._watch)

    def following(self) -> tuple[bytes, bool]:
        """Return what to send next, which is never empty, and whether it is the last part."""
        watch = self._watch
        if watch is None or self._is_cut(watch):
            # Without an event for the end: the client may connect again.
            content, is_last = COMMENT, True
        elif watch.was_in_vain:
            content, is_last = COMMENT, False
        else:
            # What Django does between requests: a connection that has failed is not used again.
            close_old_connections()
            content, is_last = self._following()
            close_old_connections()
        if is_last:
            self._place.give_back()
        return content, is_last

    def _is_cut(self, watch: Watch) -> bool:
        self._judged_at = watch.judged_at
        return watch.was_refused or poller.is_stopping or time.monotonic() >= self._until

    def cancel(self) -> bool:
        """End the stream, because the client has gone; False if `then` was called, or is about to be."""
        self._place.give_back()
        return self._watch is None or poller.discard(self._watch)

    def _following(self) -> tuple[bytes, bool]:
        try:
            with database_answers_within(HELD_ANSWER_SECONDS):
                shown = self._show()
        except (NotFound, ResultsNotSupported):
            # It was removed.
            return END, True
        except (*DATABASE_ERRORS, StoreUnavailable):
            # Reported by who looks for changes; the client keeps what it has.
            self._earliest = time.monotonic() + 1
            return COMMENT, False
        self._awaited = shown.awaited
        return self._events_of(shown)

    def _events_of(self, shown: Shown) -> tuple[bytes, bool]:
        content = COMMENT
        if shown.tag != self._tag:
            content = event("task", shown.data, identifier=shown.tag)
            self._tag = shown.tag
            self._changed_at = time.monotonic()
            self._earliest = self._changed_at + SECONDS_BETWEEN_EVENTS
        return (content + END, True) if shown.is_finished else (content, False)


class Parts:
    """The parts of a stream, for a thread that waits for each of them."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._parts = _parts_of(stream)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        self._stream.cancel()

    # A response that is replaced by another one, because a middleware fails, is not closed.
    __del__ = close


def _parts_of(stream: Stream) -> Iterator[bytes]:
    yield stream.first
    is_last = False
    while not is_last:
        is_due = threading.Event()
        stream.start(is_due.set)
        close_connections()
        is_due.wait()
        content, is_last = stream.following()
        yield content
