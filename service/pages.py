"""
Pages for people, such as Django's admin: only they go through the middlewares that people need.

The API knows no sessions, cookies or messages; all of them together would cost a request as much as a
good part of a GET. In `MIDDLEWARE`, what stands between `PagesMiddleware` and `end_of_pages` is for pages.
"""

from collections.abc import Callable
from typing import ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

PREFIXES = ("/admin/",)
"""How the paths of pages begin."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class PagesMiddleware:
    """Leaves out the middlewares up to `end_of_pages`, unless a page is asked for."""

    after_pages: ClassVar[GetResponse]

    def __init__(self, get_response: GetResponse) -> None:
        self._get_page = get_response
        # Django builds middlewares from the last to the first: it is there by now.
        self._get_other = PagesMiddleware.after_pages

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_page = request.path_info.startswith(PREFIXES)
        return self._get_page(request) if is_page else self._get_other(request)


def end_of_pages(get_response: GetResponse) -> GetResponse:
    """Mark where requests for pages and all others go on together."""
    PagesMiddleware.after_pages = get_response
    return get_response
