"""What a request waits for that is held, or whose thread waits; `tasks_api.http.protocol.holding` says how."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from django.db import connections
from django.http import HttpRequest, HttpResponse

from tasks_api.http.holding.places import Place
from tasks_api.http.protocol.holding import HELD, HOLDS, from_server
from tasks_api.results.waiting import poller
from tasks_api.results.watches import Awaited, Watch

HELD_ANSWER_SECONDS = 3.0
"""How long the database may take for the answer to a request that has waited already, and for an event."""


def holds_of(request: HttpRequest) -> list[Any] | None:
    """Return where to put a hold; None if the server cannot hold the request."""
    holds: list[Any] | None = from_server(request, HOLDS)
    return holds


def has_thread(request: HttpRequest) -> bool:
    """Return whether other threads serve other requests, while the one of this request waits."""
    return bool(request.META.get("wsgi.multithread")) and not hasattr(request, "scope")


def close_connections() -> None:
    """Close this thread's connections to databases, before it waits."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def held(request: HttpRequest) -> "Hold | None":
    """Return the hold whose answer the server asks for; None for a new request."""
    hold: Hold | None = from_server(request, HELD)
    return hold


class Known(NamedTuple):
    """An answer that is kept, for when there is no better one."""

    status: int
    headers: dict[str, str]
    content: bytes

    @classmethod
    def of(cls, response: HttpResponse) -> "Known":
        return cls(response.status_code, dict(response.headers), response.content)

    def response(self) -> HttpResponse:
        return HttpResponse(self.content, status=self.status, headers=self.headers)


@dataclass(eq=False, kw_only=True)
class Hold:
    """
    A request that waits, and its place.

    Attributes:
        answer: called with the view and the request of the second call, for the answer.
        known: the answer if the task is gone, or cannot be read, at the end of the wait.
        allowance: what was left of the client's rate limit when the request was counted.
        request_id: the id of the request, which stays the same.

    """

    is_stream: ClassVar[bool] = False

    place: Place
    awaited: Awaited
    seconds: float
    answer: Callable[[Any, HttpRequest], HttpResponse]
    known: Known | None = None
    allowance: Any = None
    request_id: str
    _watch: Watch | None = field(init=False, default=None)

    def start(self, then: Callable[[], object]) -> None:
        """Begin to wait; `then` is called once, in any thread, and must not wait for anything."""

        def end() -> None:
            self.place.give_back()
            then()

        self._watch = Watch(awaited=self.awaited, seconds=self.seconds, on_end=end)
        poller.add(self._watch)

    def cancel(self) -> bool:
        """Give up waiting, because the client has gone; False if `then` was called, or is about to be."""
        self.place.give_back()
        return self._watch is None or poller.discard(self._watch)

    @property
    def was_blind(self) -> bool:
        """Whether the task could not be looked at when the time was up."""
        return self._watch is not None and self._watch.was_blind

    def wait(self) -> None:
        """Wait in this thread, without its connections to databases."""
        is_over = threading.Event()
        self.start(is_over.set)
        close_connections()
        is_over.wait()
