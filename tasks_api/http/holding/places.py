"""How many requests a process holds, and how many of them are of one client."""

import threading
from collections import Counter

from tasks_api.conf import tasks_api_settings

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
        self._by_client: Counter[tuple[int, bool]] = Counter()

    def take(self, client: int, *, is_stream: bool = False, kept: int = 0) -> Place | None:
        """Take a place, with so many bytes that are kept; None if there is none for this client."""
        total = tasks_api_settings().max_waiting
        if self.limit is not None:
            total = min(total, self.limit)
        with self._lock:
            if kept and not self._can_keep(kept, client):
                return None
            streams = sum(place.is_stream for place in self._taken) if is_stream else 0
            own_streams = self._by_client[client, True]
            own = own_streams + self._by_client[client, False]
            if len(self._taken) >= total or own >= max(total - 1, 1):
                return None
            if is_stream and (streams >= total // 2 or own_streams >= max(total // 2 - 1, 1)):
                return None
            place = Place(self, client, is_stream=is_stream, kept=kept)
            self._taken.add(place)
            self._by_client[client, is_stream] += 1
            return place

    def _can_keep(self, number: int, client: int) -> bool:
        own = sum(place.kept for place in self._taken if place.client == client)
        everybody = sum(place.kept for place in self._taken)
        return own + number <= MAX_KEPT_BYTES // 2 and everybody + number <= MAX_KEPT_BYTES

    def give_back(self, place: Place) -> None:
        with self._lock:
            if place in self._taken:
                self._taken.discard(place)
                self._by_client[place.client, place.is_stream] -= 1
                if not self._by_client[place.client, place.is_stream]:
                    del self._by_client[place.client, place.is_stream]


places = Places()
"""Those of this process."""
