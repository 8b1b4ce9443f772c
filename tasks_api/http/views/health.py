"""`/livez` and `/readyz`: health checks for process managers and load balancers, with any `Host`."""

from typing import TypedDict

from django.http import HttpRequest, HttpResponse

from tasks_api import problems
from tasks_api.backends import adapters
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource


class HealthRepresentation(TypedDict):
    """The health of a process."""

    status: str


class Livez(Resource):
    """Whether this process answers; if not, it should be restarted."""

    tag = "health"
    checks_host = False
    accepts_anything = True
    needs_client = False

    @Operation(
        "get_livez",
        answers={200: Answer(description="It answers.", representation=HealthRepresentation)},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        """
        Check whether the process answers.

        Checks nothing but the process itself.
        """
        return json_response({"status": "ok"})


class Readyz(Resource):
    """Whether tasks can be enqueued and read; if not, requests should be sent elsewhere."""

    tag = "health"
    checks_host = False
    accepts_anything = True
    needs_client = False

    @Operation(
        "get_readyz",
        answers={200: Answer(description="It is ready.", representation=HealthRepresentation)},
        problems=(problems.StoreUnavailable,),
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        """
        Check whether the service is ready.

        Checks that the store of tasks can be read and written to.
        """
        for adapter in adapters():
            adapter.probe()
        return json_response({"status": "ok"})
