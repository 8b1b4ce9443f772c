"""
Documentation: the OpenAPI document, Swagger UI, the page of problem codes.

No page loads anything from the internet: scripts and styles come from the installed packages.
"""

import re
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from tasks_api.calls.catalogue import task_types_for
from tasks_api.calls.registry import registry
from tasks_api.conf import tasks_api_settings
from tasks_api.faults import FAULT_CODES
from tasks_api.http.access.authentication import find_caller
from tasks_api.http.openapi.document import openapi_document, openapi_yaml
from tasks_api.http.views.resource import Resource
from tasks_api.json_text import json_bytes
from tasks_api.problems import Problem

_CODE = re.compile("`([^`]+)`")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # Swagger UI sets style attributes.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class Document(Resource):
    """Documentation for readers, which generated clients need no method for."""

    needs_client: ClassVar[bool] = False
    schema = None
    accepts_anything = True


class OpenAPIYAML(Document):
    """The OpenAPI document in YAML (RFC 9512)."""

    def get(self, request: HttpRequest) -> HttpResponse:
        content = openapi_yaml(_visible_task_types(request))
        return HttpResponse(content, content_type="application/yaml")


class OpenAPIJSON(Document):
    """The OpenAPI document in JSON."""

    def get(self, request: HttpRequest) -> HttpResponse:
        document = openapi_document(_visible_task_types(request))
        return HttpResponse(json_bytes(document), content_type="application/json")


class SwaggerUI(Document):
    """The OpenAPI document as an interactive page."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request, "tasks_api/swagger_ui.html", {})


class ProblemsPage(Document):
    """Explains all codes of problems and of their `errors`; the `type` of each problem points here."""

    def get(self, request: HttpRequest) -> HttpResponse:
        kinds = sorted(Problem.every_kind(), key=lambda kind: (kind.status, kind.code))
        context = {
            "kinds": [(kind, _as_html(kind.explanation())) for kind in kinds],
            "fault_codes": {code: _as_html(FAULT_CODES[code]) for code in sorted(FAULT_CODES)},
        }
        return _page(request, "tasks_api/problems.html", context)


def _as_html(text: str) -> SafeString:
    """Escape a text, and mark as code what is in backticks."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S308 -- it is escaped


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _visible_task_types(request: HttpRequest) -> tuple[str, ...]:
    """
    Return the names of the task types that the reader may see.

    Raises:
        NotAuthenticated: 401, the request has a key that is not valid.

    """
    caller = find_caller(request)
    if caller is not None:
        return tuple(task_type.name for task_type in task_types_for(caller))
    return tuple(registry.task_types) if tasks_api_settings().public_catalogue else ()
