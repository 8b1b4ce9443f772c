"""`/queues/`: waiting and running tasks by queue."""

from django.http import HttpRequest, HttpResponse
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.http.openapi.operation import Answer, Operation, path_parameter, query_parameter
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource
from tasks_api.models import Scope
from tasks_api.monitoring.queues import (
    QueueListRepresentation,
    QueueRepresentation,
    queue_named,
    queues,
    represent_queue,
)


class QueueViewSet(Resource, ViewSet):
    """Queues of task backends."""

    tag = "queues"

    @Operation(
        "list_queues",
        scope=Scope.ADMIN,
        answers={200: Answer(description="The queues.", representation=QueueListRepresentation)},
        problems=(problems.QueuesNotSupported,),
    )
    def list(self, request: HttpRequest) -> HttpResponse:
        """
        List the queues.

        Answers with the queues of settings and task types, and with other queues that have waiting
        or running tasks. The tasks are counted every few seconds. Backends that cannot count are
        left out.
        """
        return json_response({"results": [represent_queue(queue) for queue in queues()]})

    @Operation(
        "get_queue",
        scope=Scope.ADMIN,
        answers={200: Answer(description="The queue.", representation=QueueRepresentation)},
        problems=(problems.NotFound, problems.QueuesNotSupported),
        parameters=(
            path_parameter(
                "name",
                "The name of the queue; encode a slash as `%2F` or send it as it is.",
                "default",
            ),
            query_parameter("backend", "The backend, if several have a queue with this name."),
        ),
    )
    def retrieve(self, request: HttpRequest, name: str) -> HttpResponse:
        """
        Read a queue.

        Answers with one queue, as in the list.
        """
        backend = request.GET.get("backend")
        return json_response(represent_queue(queue_named(name, backend)))
