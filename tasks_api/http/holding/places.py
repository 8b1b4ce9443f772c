"""How many requests a process holds, and how many of them are of one client."""

import threading
from collections import Counter

from tasks_api.conf import tasks_api_settings


class Place:
    """A place that a request has taken; given back once, whoever does it."""

    def __init__(self, places: "Places", client: int, *, is_stream: bool) -> None:
        self._places = places
        self.client = client
        self.is_stream = is_stream

    def give_back(self) -> None:
        self._places.give_back(self)


class Places:
    """
    The places of a process: `MAX_WAITING`.

    One client takes all but one of them, and at least one. Streams take half of them at most, and those of one
    client all but one of that half, and at least one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[Place] = set()
        self._by_client: Counter[tuple[int, bool]] = Counter()

    def take(self, client: int, *, is_stream: bool = False) -> Place | None:
        """Take a place, or return None if there is none for this client."""
        total = tasks_api_settings().max_waiting
        with self._lock:
            streams = sum(place.is_stream for place in self._taken) if is_stream else 0
            own_streams = self._by_client[client, True]
            own = own_streams + self._by_client[client, False]
            if len(self._taken) >= total or own >= max(total - 1, 1):
                return None
            if is_stream and (streams >= total // 2 or own_streams >= max(total // 2 - 1, 1)):
                return None
            place = Place(self, client, is_stream=is_stream)
            self._taken.add(place)
            self._by_client[client, is_stream] += 1
            return place

    def give_back(self, place: Place) -> None:
        with self._lock:
            if place in self._taken:
                self._taken.discard(place)
                self._by_client[place.client, place.is_stream] -= 1
                if not self._by_client[place.client, place.is_stream]:
                    del self._by_client[place.client, place.is_stream]


places = Places()
"""Those of this process."""
