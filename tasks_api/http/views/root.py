"""`/`: links to the other resources; and the 404 of all other URLs."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from pydantic import create_model

from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.links import absolute_url
from tasks_api.http.protocol.negotiation import prefers_html
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.routes import registered_routes
from tasks_api.http.views.resource import Resource
from tasks_api.problems import NotAcceptable, NotAuthenticated, NotFound

LINKS = {
    "task_types": "task-types",
    "tasks": "tasks",
    "queues": "queues",
    "workers": "workers",
    "client": "client",
    "openapi": "openapi-yaml",
    "docs": "docs",
    "problems": "problems",
} | {route.link: route.name for route in registered_routes() if route.link}
"""The members of the answer, with the names of their URLs."""

# The links depend on the installed apps.
_members: dict[str, Any] = dict.fromkeys(LINKS, (str, ...))
RootRepresentation = create_model(
    "RootRepresentation", __doc__="The URLs of the other resources.", **_members
)


class Root(Resource):
    """The entry point: links to every other resource."""

    tag = "about"

    @Operation(
        "get_root",
        answers={200: Answer(description="The URLs.", representation=RootRepresentation)},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        """
        Find the resources.

        Answers with the URLs of the other resources.
        """
        return json_response({link: absolute_url(request, name) for link, name in LINKS.items()})

    def handle_exception(self, exc: Exception) -> Any:
        """Send browsers, which have no key, to the documentation; programs get the problem."""
        if isinstance(exc, NotAuthenticated | NotAcceptable) and self._is_for_a_person():
            return HttpResponseRedirect(absolute_url(self.request, "docs"))
        return super().handle_exception(exc)

    def complete(self, request: HttpRequest, response: Any) -> None:
        super().complete(request, response)
        if request.method in {"GET", "HEAD"}:
            patch_vary_headers(response, ("Accept",))

    def _is_for_a_person(self) -> bool:
        headers = self.request.headers
        is_read = self.request.method in {"GET", "HEAD"}
        return (
            is_read and "Authorization" not in headers and prefers_html(headers.get("Accept", ""))
        )


class NoResource(Resource):
    """Answers 404 for every URL under our path that has no resource."""

    schema = None

    def check_request(self, request: HttpRequest) -> None:
        raise NotFound
