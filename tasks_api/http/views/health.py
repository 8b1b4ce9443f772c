"""`/livez` and `/readyz`: health checks for process managers and load balancers, with any `Host`."""

from typing import TypedDict

from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api import problems
from tasks_api.backends import adapters
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.negotiation import AcceptAnything
from tasks_api.http.views.resource import Resource


class HealthRepresentation(TypedDict):
    """The health of a process."""

    status: str


class Livez(Resource):
    """Whether this process answers; if not, it should be restarted."""

    tag = "health"
    checks_host = False
    content_negotiation_class = AcceptAnything
    needs_client = False

    @Operation(
        "get_livez",
        answers={200: Answer(description="It answers.", representation=HealthRepresentation)},
    )
    def get(self, request: Request) -> Response:
        """
        Check whether the process answers.

        Checks nothing but the process itself.
        """
        return Response({"status": "ok"})


class Readyz(Resource):
    """Whether tasks can be enqueued and read; if not, requests should be sent elsewhere."""

    tag = "health"
    checks_host = False
    content_negotiation_class = AcceptAnything
    needs_client = False

    @Operation(
        "get_readyz",
        answers={200: Answer(description="It is ready.", representation=HealthRepresentation)},
        problems=(problems.StoreUnavailable,),
    )
    def get(self, request: Request) -> Response:
        """
        Check whether the service is ready.

        Checks that the store of tasks can be read and written to.
        """
        for adapter in adapters():
            adapter.probe()
        return Response({"status": "ok"})
