"""Middleware that gives every answer of a project, not only ours, the id of its request."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tasks_api.http.protocol import request_id
from tasks_api.logs import current_request_id


class RequestIDMiddleware:
    """Sets `X-Request-ID` on every answer, and the request's id on its log records."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        identifier = request_id.identify(request)
        # Not reset: Django logs a refused request after the middleware has returned.
        current_request_id.set(identifier)
        response = self.get_response(request)
        response.headers.setdefault(request_id.HEADER, identifier)
        return response
