"""The responses of resources: JSON, or nothing."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from tasks_api.json_text import json_bytes


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return HttpResponse(
        json_bytes(value), status=status, content_type="application/json", headers=headers
    )


def empty_response(*, status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    response = HttpResponse(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
