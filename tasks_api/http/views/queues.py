"""`/queues/`: what waits, and what runs."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from tasks_api.http.openapi.operations.queues import GET_QUEUE, LIST_QUEUES
from tasks_api.http.views.resource import Resource
from tasks_api.monitoring.queues import queue_called, queues, represent_queue


class QueueViewSet(Resource, ViewSet):
    """Queues of task backends."""

    @LIST_QUEUES
    def list(self, request: Request) -> Response:
        return Response({"results": [represent_queue(queue) for queue in queues()]})

    @GET_QUEUE
    def retrieve(self, request: Request, name: str) -> Response:
        backend = request._request.GET.get("backend")
        return Response(represent_queue(queue_called(name, backend)))
