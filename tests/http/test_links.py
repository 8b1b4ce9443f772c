"""The host that a request is for, and the URLs in answers."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.test import Client, RequestFactory, override_settings
from django.urls import get_script_prefix, include, path, set_script_prefix, set_urlconf
from django.utils.translation import override

from tasks_api.http.protocol.links import task_url

ID = "00000000-0000-8000-8000-000000000000"


@override_settings(ALLOWED_HOSTS=["a.example", "b.example"])
def test_a_host_that_is_no_longer_allowed_is_refused(client: Client) -> None:
    assert client.get("/", headers={"Host": "b.example"}).status_code == 200
    # In place, as projects do that serve the sites in a database.
    settings.ALLOWED_HOSTS.remove("b.example")
    assert client.get("/", headers={"Host": "b.example"}).status_code == 400
    assert client.get("/", headers={"Host": "a.example"}).status_code == 200


def url_module(*urlpatterns: Any) -> ModuleType:
    module = ModuleType("urls")
    module.urlpatterns = [*urlpatterns]  # type: ignore[attr-defined]
    return module


@pytest.fixture
def restored() -> Iterator[None]:
    """Put back what Django sets for each request."""
    prefix = get_script_prefix()
    yield
    set_script_prefix(prefix)
    set_urlconf(None)


@pytest.mark.usefixtures("restored")
def test_the_url_of_a_task_follows_urls_language_and_prefix() -> None:
    request = RequestFactory().get("/")
    app = include("tasks_api.urls")
    set_urlconf(url_module(path("one/", app)))
    assert task_url(request, ID) == f"http://testserver/one/tasks/{ID}/"
    set_urlconf(url_module(*i18n_patterns(path("two/", app))))
    for language in ("en", "de"):
        with override(language):
            assert task_url(request, ID) == f"http://testserver/{language}/two/tasks/{ID}/"
            set_script_prefix("/under/")
            assert task_url(request, ID) == f"http://testserver/under/{language}/two/tasks/{ID}/"
            set_script_prefix("/")
