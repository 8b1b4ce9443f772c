"""`/workers/`: who runs tasks."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from tasks_api.http.openapi.operations.workers import LIST_WORKERS
from tasks_api.http.views.resource import Resource
from tasks_api.monitoring.workers import workers


class WorkerViewSet(Resource, ViewSet):
    """Processes that run tasks."""

    @LIST_WORKERS
    def list(self, request: Request) -> Response:
        return Response({"results": workers()})
