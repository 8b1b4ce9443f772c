"""`/`: where everything is; and what is nowhere."""

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
"""The members of the answer, and the names of the URLs that they hold."""

# The links differ with the apps that are installed.
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
    """Answers every URL under our path that nothing else answers."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound
