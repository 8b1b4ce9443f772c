"""Middleware that gives every answer of a project, not only ours, the id of its request."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction, markcoroutinefunction
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tasks_api.http.protocol import request_id
from tasks_api.logs import current_request_id

type GetResponse = Callable[[HttpRequest], Any]


class RequestIDMiddleware:
    """Sets `X-Request-ID` on every answer, and the request's id on its log records; sync and async."""

    sync_capable = async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        identifier = request_id.identify(request)
        # Not reset: Django logs a refused request after the middleware has returned.
        current_request_id.set(identifier)
        if self._is_async:
            return self._respond_later(request, identifier)
        response: HttpResponseBase = self.get_response(request)
        response.headers.setdefault(request_id.HEADER, identifier)
        return response

    async def _respond_later(self, request: HttpRequest, identifier: str) -> HttpResponseBase:
        response: HttpResponseBase = await self.get_response(request)
        response.headers.setdefault(request_id.HEADER, identifier)
        return response
