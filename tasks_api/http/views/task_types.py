"""`/task-types/`: what can be enqueued."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from tasks_api.calls.catalogue import represent_task_type, task_types_for
from tasks_api.calls.registry import registry
from tasks_api.http.openapi.operations.task_types import GET_TASK_TYPE, LIST_TASK_TYPES
from tasks_api.http.views.resource import Resource
from tasks_api.problems import NotFound


class TaskTypeViewSet(Resource, ViewSet):
    """Registered tasks."""

    @LIST_TASK_TYPES
    def list(self, request: Request) -> Response:
        task_types = task_types_for(self.caller)
        return Response({"results": [represent_task_type(task_type) for task_type in task_types]})

    @GET_TASK_TYPE
    def retrieve(self, request: Request, name: str) -> Response:
        task_type = registry.task_types.get(name)
        if task_type is None or not self.caller.may_enqueue(name):
            raise NotFound("There is no task type of this name.")
        return Response(represent_task_type(task_type))
