"""`/task-types/`: the tasks that can be enqueued."""

from django.http import HttpRequest, HttpResponse
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.calls.catalogue import (
    TaskTypeListRepresentation,
    TaskTypeRepresentation,
    represent_task_type,
    task_types_for,
)
from tasks_api.calls.registry import registry
from tasks_api.http.openapi.operation import Answer, Operation, path_parameter
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource
from tasks_api.problems import NotFound


class TaskTypeViewSet(Resource, ViewSet):
    """Registered tasks."""

    tag = "task types"

    @Operation(
        "list_task_types",
        answers={
            200: Answer(description="The task types.", representation=TaskTypeListRepresentation)
        },
    )
    def list(self, request: HttpRequest) -> HttpResponse:
        """
        List the task types.

        Answers with all task types that the client may enqueue, by name.
        """
        task_types = task_types_for(self.caller)
        return json_response(
            {"results": [represent_task_type(task_type) for task_type in task_types]}
        )

    @Operation(
        "get_task_type",
        answers={200: Answer(description="The task type.", representation=TaskTypeRepresentation)},
        problems=(problems.NotFound,),
        parameters=(
            path_parameter("name", "The name of the task type.", "service.tasks.say_hello"),
        ),
    )
    def retrieve(self, request: HttpRequest, name: str) -> HttpResponse:
        """
        Read a task type.

        Answers with one task type: its arguments, queue, priority, backend and policy.
        """
        task_type = registry.task_types.get(name)
        if task_type is None or not self.caller.may_enqueue(name):
            raise NotFound("There is no task type with this name.")
        return json_response(represent_task_type(task_type))
