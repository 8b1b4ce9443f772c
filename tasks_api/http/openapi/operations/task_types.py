"""What the document says of task types."""

from tasks_api import problems
from tasks_api.calls.catalogue import TaskTypeListRepresentation, TaskTypeRepresentation
from tasks_api.http.openapi.operation import Answer, Operation

LIST_TASK_TYPES = Operation(
    operation_id="list_task_types",
    scope=None,
    summary="List the task types",
    description="Answers with every task type that can be enqueued, by name.",
    tag="task types",
    answers={200: Answer(description="The task types.", representation=TaskTypeListRepresentation)},
)
GET_TASK_TYPE = Operation(
    operation_id="get_task_type",
    scope=None,
    summary="Read a task type",
    description="Answers with one task type: what its arguments are and where it runs.",
    tag="task types",
    answers={200: Answer(description="The task type.", representation=TaskTypeRepresentation)},
    problems=(problems.NotFound,),
    parameters=(
        {
            "name": "name",
            "in": "path",
            "required": True,
            "description": "The name of the task type.",
            "schema": {"type": "string"},
            "example": "service.tasks.say_hello",
        },
    ),
)
