"""
Headers that Django refuses while it constructs a request, before any middleware and any view.

The exception would be answered by the server: with a 500 in HTML. So the header is set aside when Django
announces the request, which is before that, and the view answers with a problem.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote_from_bytes

from django.core.handlers.wsgi import get_path_info, get_script_name
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from tasks_api.faults import Fault
from tasks_api.problems import InvalidRequest

_SET_ASIDE = "tasks_api.malformed_content_type"
_UNKNOWN = "other"
"""Stands for each charset except UTF-8; Django ignores charsets that Python does not know."""

_ASCII = bytes(range(128)).decode()


def check_headers(request: HttpRequest) -> None:
    """
    Refuse a request with a malformed `Content-Type`.

    Raises:
        InvalidRequest: 400, the header cannot be parsed.

    """
    if getattr(request, "scope", request.META).get(_SET_ASIDE):
        detail = "Should be a media type with well-formed parameters, such as application/json."
        raise InvalidRequest(faults=[Fault("media_type", detail, header="Content-Type")])


def set_malformed_headers_aside(
    *,
    environ: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
    **_: Any,
) -> None:
    """Prepare a request to the API that Django could not construct; other requests are left alone."""
    if environ is not None:
        given = environ.get("CONTENT_TYPE", "")
        if (usable := _usable(given)) != given and _is_ours(
            get_script_name(environ) + get_path_info(environ)
        ):
            environ["CONTENT_TYPE"] = usable
            environ[_SET_ASIDE] = not usable
    elif scope is not None:
        given = _content_type(scope.get("headers", ()))
        if (usable := _usable(given)) != given and _is_ours(scope["path"]):
            others = (header for header in scope["headers"] if header[0] != b"content-type")
            scope["headers"] = [*others, (b"content-type", usable.encode("latin-1"))]
            scope[_SET_ASIDE] = not usable
        query = scope.get("query_string", b"")
        if isinstance(query, bytes) and not query.isascii() and _is_ours(scope["path"]):
            # As under WSGI, where such bytes count as if they were encoded.
            scope["query_string"] = quote_from_bytes(query, safe=_ASCII).encode()


@lru_cache(maxsize=128)
def _usable(content_type: str) -> str:
    """Return a `Content-Type` that Django can use; an empty one for what it fails to parse."""
    request: Any = HttpRequest()
    try:
        # Django's own code: it fails for more than a parser of such headers would refuse.
        request._set_content_type_params({"CONTENT_TYPE": content_type})
    except Exception:  # noqa: BLE001, RUF100 -- also what codecs raise
        return ""
    if (request.encoding or "utf-8").lower() in {"utf-8", "utf8"}:
        return content_type
    # Django would decode the query by it, and not every codec is one for texts.
    return f"{request.content_type}; charset={_UNKNOWN}"


def _content_type(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the value of the header as Django joins it."""
    return ",".join(value.decode("latin-1") for name, value in headers if name == b"content-type")


def _is_ours(path: str) -> bool:
    try:
        return path.startswith(reverse("tasks_api:root"))
    except NoReverseMatch:
        return False
