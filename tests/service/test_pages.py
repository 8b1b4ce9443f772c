"""Pages go through the middlewares that people need; the API's requests do not."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.checks import run_checks
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory, override_settings

from service import pages

pytestmark = pytest.mark.sqlite
ASKED_FOR_A_MIDDLEWARE = {
    *(f"admin.E{number}" for number in (408, 409, 410)),
    *(f"security.W{number:03}" for number in (1, 2, 3)),
}


def handled(path: str) -> HttpRequest:
    """Return a request that the service has answered."""
    request = RequestFactory().get(path)
    assert WSGIHandler().get_response(request).status_code == 200
    return request


def test_requests_of_the_api_get_no_session_and_no_user() -> None:
    assert not {"session", "user", "_messages"} & set(vars(handled("/livez")))
    assert {"session", "user", "_messages"} <= set(vars(handled("/admin/login/")))


def test_pages_may_not_be_framed() -> None:
    assert Client().get("/admin/login/").headers["X-Frame-Options"] == "DENY"
    assert "X-Frame-Options" not in Client().get("/livez").headers


def test_a_page_needs_no_more_than_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PREFIXES", ("/admin/", "/livez"))

    assert hasattr(handled("/livez"), "session")


def test_a_server_that_speaks_asgi_tells_pages_from_the_api_too() -> None:
    get = async_to_sync(AsyncClient().get)

    assert "Content-Security-Policy" in get("/admin/login/").headers
    assert "Content-Security-Policy" not in get("/livez").headers


class Observer:
    """A middleware as those that trace requests: it wants to hear of each view."""

    views: ClassVar[list[str]] = []

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        self.views.append(request.path)


def test_a_middleware_in_front_hears_of_the_views_of_pages_and_api() -> None:
    Observer.views.clear()
    with override_settings(MIDDLEWARE=[f"{__name__}.Observer", *settings.MIDDLEWARE]):
        handled("/livez")
        handled("/admin/login/")

    assert Observer.views == ["/livez", "/admin/login/"]


def test_no_system_check_misses_a_middleware() -> None:
    found = {
        message.id
        for message in run_checks(tags=["admin", "security"], include_deployment_checks=True)
    }

    assert not found & ASKED_FOR_A_MIDDLEWARE
