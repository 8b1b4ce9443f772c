"""
Pages for people, such as Django's admin, use middlewares that the API's requests skip.

The API has no sessions, cookies, messages or static files, and the middlewares for pages would slow its requests
down. In `MIDDLEWARE` they are between `PagesMiddleware` and `end_of_pages`.
"""

from collections.abc import Callable
from typing import ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tasks_api.backends.database.deadline import database_answers_within

PREFIXES = ("/admin/", "/static/", "/docs", "/problems")
"""The prefixes of the paths of pages."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class PagesMiddleware:
    """Skips the middlewares up to `end_of_pages`, unless the request is for a page."""

    after_pages: ClassVar[GetResponse]

    def __init__(self, get_response: GetResponse) -> None:
        self._get_page = get_response
        # Django builds middlewares from last to first, so `end_of_pages` has set it.
        self._get_other = PagesMiddleware.after_pages

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIXES):
            return self._get_other(request)
        # As the API's own requests are: else pages could occupy all threads when it stands still.
        with database_answers_within():
            return self._get_page(request)


def end_of_pages(get_response: GetResponse) -> GetResponse:
    """Mark the end of the middlewares for pages."""
    # Static: otherwise Python would pass the middleware object as the first argument.
    PagesMiddleware.after_pages = staticmethod(get_response)
    return get_response
