"""
Requests that wait, under ASGI, without a thread for each.

Example:
    `application = HoldRequests(get_asgi_application())`, in the project's `asgi.py`.

"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import Any

from django.db import connections

from tasks_api.http.protocol.holding import HELD, HOLDS

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
# Typed differently by Django and by servers.
type Application = Callable[[Any, Any, Any], Awaitable[None]]

AT_ONCE = 8
"""How many answers are made at once: many requests may wait for one task."""


class HoldRequests:
    """
    Wraps Django's application, which spends a thread on each request, and holds those that wait.

    Django is called before the wait and after it; in between, a request is a coroutine. See
    `tasks_api.http.protocol.holding`.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="events")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_wait(scope):
            await self._application(scope, receive, send)
            return
        holds = _Holds()
        receive = _Receiver(receive)
        has_answer = False

        async def send_beginning(message: Message) -> None:
            nonlocal has_answer
            has_answer = True
            # By the time that it answers, the view has decided; a middleware may have failed since.
            if message.get("status", 0) >= HTTPStatus.BAD_REQUEST:
                holds.close()
            if not holds:
                await send(message)
            elif holds[0].is_stream:
                if message["type"] == "http.response.body":
                    message = {**message, "more_body": True}
                await send(message)

        try:
            await self._application({**scope, HOLDS: holds}, receive, send_beginning)
            if not (holds and has_answer):
                # Without one, the client has gone meanwhile, and Django has given up.
                return
            # Servers that keep a connection whose client has closed its side see here that none may be left.
            scope[HELD] = holds[0]
            has_client = await self._is_due(holds[0], receive)
            if holds[0].is_stream:
                await self._stream(holds[0], receive, send, has_client=has_client)
            else:
                await self._answer(holds[0], scope, send)
        finally:
            receive.close()
            holds.close()
            # The server may keep the scope until the next request.
            scope.pop(HELD, None)

    async def _is_due(self, hold: Any, receive: Receive) -> bool:
        """Wait until the server is told to go on; False if the client has hung up before."""
        loop = asyncio.get_running_loop()
        due = loop.create_future()
        hold.start(lambda: loop.call_soon_threadsafe(_set, due))
        hung_up = asyncio.ensure_future(_disconnection(receive))
        try:
            await asyncio.wait({due, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            return due.done()
        finally:
            hung_up.cancel()
            due.cancel()

    async def _answer(self, hold: Any, scope: Message, send: Send) -> None:
        # The body was read before.
        body: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive_nothing() -> Message:
            # A client that has hung up is answered as well: the log says how far the task was.
            return body.pop() if body else await forever

        forever: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        hold.cancel()
        async with self._turns:
            await self._application({**scope, HELD: hold}, receive_nothing, send)

    async def _stream(self, stream: Any, receive: Receive, send: Send, *, has_client: bool) -> None:
        loop = asyncio.get_running_loop()
        while has_client:
            # With the request's id for the log.
            following = partial(copy_context().run, _following, stream)
            content, is_last = await loop.run_in_executor(self._threads, following)
            await send({"type": "http.response.body", "body": content, "more_body": True})
            if is_last:
                break
            has_client = await self._is_due(stream, receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Holds(list[Any]):
    """What the view, in a thread, holds the request for, unless its client has gone meanwhile."""

    is_closed = False

    def append(self, hold: Any) -> None:
        super().append(hold)
        if self.is_closed:
            hold.cancel()

    def close(self) -> None:
        self.is_closed = True
        for hold in self:
            hold.cancel()
        self.clear()


class _Receiver:
    """
    Receives for one who may stop listening, and then for another one.

    Django's application listens until it has answered. Servers may take the end of that for the client's.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._message: asyncio.Future[Message] | None = None

    async def __call__(self) -> Message:
        if self._message is None:
            self._message = asyncio.ensure_future(self._receive())
        message = await asyncio.shield(self._message)
        if message["type"] != "http.disconnect":
            self._message = None
        return message

    def close(self) -> None:
        if self._message is not None:
            self._message.cancel()


def _may_wait(scope: Message) -> bool:
    """Tell which requests could be held; the others cost nothing."""
    path: str = scope["path"]
    return path.rstrip("/").endswith("/events") or any(
        name == b"prefer" for name, _ in scope["headers"]
    )


def _set(due: "asyncio.Future[None]") -> None:
    if not due.done():
        due.set_result(None)


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _following(stream: Any) -> tuple[bytes, bool]:
    try:
        following: tuple[bytes, bool] = stream.following()
        return following
    finally:
        # A pool gets its connections back.
        connections.close_all()
