"""The absolute URLs in answers."""

import re
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.translation import get_language

from tasks_api.conf import reset_when_settings_change, tasks_api_settings

_PLAIN = re.compile("[A-Za-z0-9_-]+", re.ASCII)
_PLACEHOLDER = "00000000-0000-8000-8000-000000000000"


def absolute_url(request: HttpRequest, name: str) -> str:
    """
    Build the URL of a named resource from `PUBLIC_URL`, else from the request's checked host.

    Example:
        `absolute_url(request, "tasks")` is `https://host/tasks/`.

    """
    return _base(request) + reverse(f"tasks_api:{name}")


def task_url(request: HttpRequest, identifier: str) -> str:
    """Build the URL of a task in the same way: `https://host/tasks/5f0c332a-…/`."""
    if not _PLAIN.fullmatch(identifier):
        # It has to be encoded.
        return _base(request) + reverse("tasks_api:task", args=[identifier])
    # The project may choose URLs for each request, by its prefix, or by language.
    where = (get_script_prefix(), get_urlconf(), get_language())
    before, after = _around_id(where)
    return f"{_base(request)}{before}{identifier}{after}"


def checked_host(request: HttpRequest) -> str:
    """
    Return the host that the request is for.

    Raises:
        DisallowedHost: it is none of `ALLOWED_HOSTS`.

    """
    host = request.META.get("HTTP_HOST")
    if host is None or settings.USE_X_FORWARDED_HOST:
        return request.get_host()
    return _checked(host, tuple(settings.ALLOWED_HOSTS))


@lru_cache(maxsize=64)
def _checked(host: str, allowed: tuple[str, ...]) -> str:
    """Check a host by `ALLOWED_HOSTS`, which projects with many sites change while they run."""
    request = HttpRequest()
    request.META["HTTP_HOST"] = host
    return request.get_host()


def _base(request: HttpRequest) -> str:
    if public_url := tasks_api_settings().public_url:
        return public_url.rstrip("/")
    return f"{request.scheme}://{checked_host(request)}"


@lru_cache(maxsize=64)
def _around_id(where: tuple[Any, ...]) -> tuple[str, str]:
    """Return what is before and after the id in the path of a task; it depends on `where` alone."""
    before, after = reverse("tasks_api:task", args=[_PLACEHOLDER]).split(_PLACEHOLDER)
    return before, after


reset_when_settings_change(_around_id.cache_clear)
reset_when_settings_change(_checked.cache_clear)
