"""The wrapper that holds requests under ASGI: no place is lost, whatever the application does."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tasks_api.asgi import Application, HoldRequests
from tasks_api.http.protocol.holding import HELD, HOLDS

pytestmark = pytest.mark.sqlite

SCOPE = {"type": "http", "path": "/tasks/x/events/", "headers": []}
START = {"type": "http.response.start", "status": 200, "headers": []}


class Held:
    is_stream = False

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self, then: Callable[[], object]) -> None:
        self.calls.append("start")
        then()

    def cancel(self) -> bool:
        self.calls.append("cancel")
        return True


class HeldStream(Held):
    is_stream = True

    def following(self) -> tuple[bytes, bool]:
        raise ValueError("The stream is broken.")


def serve(application: Application, scope: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Serve a request without a body, whose client stays, and return what is sent."""
    sent: list[dict[str, Any]] = []
    given = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if given:
            return given.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(HoldRequests(application)(scope or dict(SCOPE), receive, send))
    return sent


@pytest.mark.parametrize("hold", [Held(), HeldStream()])
def test_the_error_of_a_middleware_is_sent_instead_of_waiting(hold: Held) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope[HOLDS].append(hold)
        await send({**START, "status": 500})
        await send({"type": "http.response.body", "body": b"oops"})

    start, body = serve(application)

    assert (start["status"], body["body"]) == (500, b"oops")
    assert not body.get("more_body")
    assert hold.calls == ["cancel"]


def test_a_view_that_goes_on_after_its_request_has_ended_holds_nothing() -> None:
    hold = Held()
    scopes: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    assert serve(application) == []
    # In a thread that nobody waits for any more.
    scopes[0][HOLDS].append(hold)

    assert hold.calls == ["cancel"]


def test_a_request_that_was_given_up_before_its_answer_is_not_held() -> None:
    hold = Held()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope[HOLDS].append(hold)

    assert serve(application) == []
    assert hold.calls == ["cancel"]


def test_an_application_that_fails_after_its_view_holds_nothing() -> None:
    hold = Held()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope[HOLDS].append(hold)
        raise ValueError("The application is broken.")

    with pytest.raises(ValueError, match="broken"):
        serve(application)

    assert hold.calls == ["cancel"]


def test_a_stream_that_fails_gives_its_place_back() -> None:
    hold = HeldStream()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope[HOLDS].append(hold)
        await send(START)
        await send({"type": "http.response.body", "body": b"first"})

    with pytest.raises(ValueError, match="broken"):
        serve(application)

    assert hold.calls == ["start", "cancel"]


def test_the_second_call_answers_and_the_scope_keeps_nothing() -> None:
    hold = Held()
    scope = {**SCOPE, "path": "/tasks/", "headers": [(b"prefer", b"wait=3")]}
    calls: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        calls.append((scope.get(HELD), await receive()))
        if HOLDS in scope:
            scope[HOLDS].append(hold)
        await send({**START, "status": 200 + len(calls)})
        await send({"type": "http.response.body", "body": b"done"})

    start, body = serve(application, scope)

    empty = {"type": "http.request", "body": b"", "more_body": False}
    assert calls == [(None, empty), (hold, empty)]
    assert (start["status"], body["body"]) == (202, b"done")
    assert HELD not in scope
