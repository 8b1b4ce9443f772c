"""`/livez` and `/readyz`, for whoever starts, stops and balances processes: any `Host` will do."""

from typing import TypedDict

from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api import problems
from tasks_api.backends import adapters
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.negotiation import AcceptAnything
from tasks_api.http.views.resource import Resource


class HealthRepresentation(TypedDict):
    """A process that is well."""

    status: str


class Livez(Resource):
    """Whether this process answers at all; a failure means: restart it."""

    tag = "health"
    checks_host = False
    content_negotiation_class = AcceptAnything
    needs_client = False

    @Operation(
        "get_livez",
        answers={200: Answer(description="It does.", representation=HealthRepresentation)},
    )
    def get(self, request: Request) -> Response:
        """
        Ask whether the process answers.

        Looks at nothing but the process itself.
        """
        return Response({"status": "ok"})


class Readyz(Resource):
    """Whether tasks can be enqueued and read; a failure means: send requests elsewhere."""

    tag = "health"
    checks_host = False
    content_negotiation_class = AcceptAnything
    needs_client = False

    @Operation(
        "get_readyz",
        answers={200: Answer(description="It can.", representation=HealthRepresentation)},
        problems=(problems.StoreUnavailable,),
    )
    def get(self, request: Request) -> Response:
        """
        Ask whether the service can work.

        Asks the store of tasks.
        """
        for adapter in adapters():
            adapter.probe()
        return Response({"status": "ok"})
