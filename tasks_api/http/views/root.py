"""`/`: links to the other resources; and the 404 of all other URLs."""

from typing import Any

from pydantic import create_model
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.links import absolute_url
from tasks_api.http.routes import registered_routes
from tasks_api.http.views.resource import Resource
from tasks_api.problems import NotFound

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
    def get(self, request: Request) -> Response:
        """
        Find the resources.

        Answers with the URLs of the other resources.
        """
        return Response({link: absolute_url(request, name) for link, name in LINKS.items()})


class NoResource(Resource):
    """Answers 404 for every URL under our path that has no resource."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound
