"""An id for each request, in the answer and in every log line: the caller's own or a new one."""

import re
import secrets

from django.http import HttpRequest

from tasks_api.http.protocol.holding import HELD, from_server

HEADER = "X-Request-ID"
_META_KEY = "HTTP_X_REQUEST_ID"

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def identify(request: HttpRequest) -> str:
    """Return the id of a request; an invalid one of the caller's is replaced."""
    identifier: str | None = getattr(request, "tasks_api_request_id", None)
    if identifier is None:
        held = from_server(request, HELD)
        identifier = _new_id(request) if held is None else str(held.request_id)
        request.tasks_api_request_id = identifier  # type: ignore[attr-defined]
    return identifier


def _new_id(request: HttpRequest) -> str:
    given = request.META.get(_META_KEY, "")
    return given if _ACCEPTED.fullmatch(given) else secrets.token_hex(16)
