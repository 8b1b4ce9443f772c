"""`/`: where everything is; and what is nowhere."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api.http.openapi.operations.about import GET_ROOT
from tasks_api.http.protocol.links import absolute_url
from tasks_api.http.views.resource import Resource
from tasks_api.problems import NotFound


class Root(Resource):
    """The entry point: links to every other resource."""

    @GET_ROOT
    def get(self, request: Request) -> Response:
        names = {
            "task_types": "task-types",
            "tasks": "tasks",
            "queues": "queues",
            "workers": "workers",
            "client": "client",
            "openapi": "openapi-yaml",
            "docs": "docs",
            "problems": "problems",
        }
        return Response({key: absolute_url(request, name) for key, name in names.items()})


class NoResource(Resource):
    """Answers every URL under our path that nothing else answers."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound
