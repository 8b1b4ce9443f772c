"""
Pages for people, such as Django's admin, go through middlewares that the API's requests skip.

The API has no sessions, cookies or messages, and a page's middlewares would slow each request down.
In `MIDDLEWARE` they stand between `PagesMiddleware` and `end_of_pages`.
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
        # Django builds middlewares from the last to the first: `end_of_pages` has set it.
        self._get_other = PagesMiddleware.after_pages

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_page = request.path_info.startswith(PREFIXES)
        return self._get_page(request) if is_page else self._get_other(request)


def end_of_pages(get_response: GetResponse) -> GetResponse:
    """Mark where requests for pages and all others go on together."""
    # Static, or Python would pass the class or its object as the first argument.
    PagesMiddleware.after_pages = staticmethod(get_response)
    return get_response
