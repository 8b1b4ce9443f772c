"""The middleware that gives each answer the id of its request, before a sync and an async application."""

import asyncio
from inspect import iscoroutinefunction

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tasks_api.http.middleware import RequestIDMiddleware
from tasks_api.logs import current_request_id

seen: list[str] = []


def answer(request: HttpRequest) -> HttpResponse:
    seen.append(current_request_id.get())
    return HttpResponse()


async def answer_later(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return answer(request)


def request_named(name: str) -> HttpRequest:
    return RequestFactory().get("/", headers={"X-Request-ID": name})


def test_a_sync_application_is_called_in_the_same_thread() -> None:
    middleware = RequestIDMiddleware(answer)

    response = middleware(request_named("sync"))

    assert not iscoroutinefunction(middleware)
    assert isinstance(response, HttpResponse)
    assert (response.headers["X-Request-ID"], seen[-1]) == ("sync", "sync")


def test_an_async_application_is_awaited() -> None:
    middleware = RequestIDMiddleware(answer_later)

    async def respond() -> HttpResponse:
        response = await middleware(request_named("async"))  # type: ignore[misc]
        assert isinstance(response, HttpResponse)
        return response

    # What Django asks a middleware before it adapts it with a thread.
    assert iscoroutinefunction(middleware)
    assert RequestIDMiddleware.sync_capable
    assert RequestIDMiddleware.async_capable
    assert asyncio.run(respond()).headers["X-Request-ID"] == "async"
    assert seen[-1] == "async"
