"""How many requests a process holds, and how many of them are of one client."""

import logging
import threading
import time
from collections import Counter

from tasks_api.conf import tasks_api_settings

logger = logging.getLogger("tasks_api.http")

REPORT_SECONDS = 60
MAX_KEPT_BYTES = 32 * 1024 * 1024
"""How large the answers of a process may be that are kept while requests wait; one client may have half."""


class Place:
    """A place that a request has taken; given back once, whoever does it."""

    def __init__(self, places: "Places", client: int, *, is_stream: bool, kept: int) -> None:
        self._places = places
        self.client = client
        self.is_stream = is_stream
        self.kept = kept

    def give_back(self) -> None:
        self._places.give_back(self)


class Places:
    """
    The places of a process: `MAX_WAITING`, or fewer if the server has a limit.

    One client takes all but one of them, and at least one. Streams take half of them at most, and those of one
    client all but one of that half, and at least one.
    """

    limit: int | None = None
    """How many requests the server can hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[Place] = set()
        # Of all clients together as None.
        self._number: Counter[int | None] = Counter()
        self._streams: Counter[int | None] = Counter()
        self._kept: Counter[int | None] = Counter()
        self._next_report = 0.0

    def take(self, client: int, *, is_stream: bool = False, kept: int = 0) -> Place | None:
        """Take a place, with so many bytes that are kept; None if there is none for this client."""
        total = tasks_api_settings().max_waiting
        if self.limit is not None:
            total = min(total, self.limit)
        with self._lock:
            if not (
                _has_room(self._number, client, 1, total, most_of_one=max(total - 1, 1))
                and (not is_stream or self._has_room_for_stream(client, total // 2))
                and _has_room(self._kept, client, kept, MAX_KEPT_BYTES, MAX_KEPT_BYTES // 2)
            ):
                self._report(total)
                return None
            place = Place(self, client, is_stream=is_stream, kept=kept)
            self._taken.add(place)
            self._count(place, 1)
            return place

    def _report(self, total: int) -> None:
        """Log, once a minute at most, that clients are answered at once because of the limits."""
        now = time.monotonic()
        if total and now >= self._next_report:
            self._next_report = now + REPORT_SECONDS
            logger.warning(
                "A request could not wait: %d of %d places (MAX_WAITING) are taken, %d of them by streams",
                self._number[None],
                total,
                self._streams[None],
            )

    def _has_room_for_stream(self, client: int, most: int) -> bool:
        return _has_room(self._streams, client, 1, most, most_of_one=max(most - 1, 1))

    def give_back(self, place: Place) -> None:
        with self._lock:
            if place in self._taken:
                self._taken.discard(place)
                self._count(place, -1)

    def _count(self, place: Place, number: int) -> None:
        for who in (place.client, None):
            self._number[who] += number
            self._streams[who] += number * place.is_stream
            self._kept[who] += number * place.kept
        if not self._number[place.client]:
            for counter in (self._number, self._streams, self._kept):
                del counter[place.client]


def _has_room(
    counter: Counter[int | None], client: int, number: int, most: int, most_of_one: int
) -> bool:
    return counter[None] + number <= most and counter[client] + number <= most_of_one


places = Places()
"""Those of this process."""
