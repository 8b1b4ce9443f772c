"""`/workers/`: the processes that run tasks."""

from django.http import HttpRequest, HttpResponse
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource
from tasks_api.models import Scope
from tasks_api.monitoring.workers import WorkerListRepresentation, workers


class WorkerViewSet(Resource, ViewSet):
    """Processes that run tasks."""

    tag = "workers"

    @Operation(
        "list_workers",
        scope=Scope.ADMIN,
        answers={200: Answer(description="The workers.", representation=WorkerListRepresentation)},
        problems=(problems.QueuesNotSupported,),
    )
    def list(self, request: HttpRequest) -> HttpResponse:
        """
        List the workers.

        Answers with the processes that run tasks. A worker that died is listed until another worker
        has ended its task, usually for some seconds.
        """
        return json_response({"results": workers()})
