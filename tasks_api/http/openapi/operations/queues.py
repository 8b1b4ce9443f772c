"""What the document says of queues."""

from tasks_api import problems
from tasks_api.http.openapi.operation import Answer, Operation, query_parameter
from tasks_api.models import Scope
from tasks_api.monitoring.queues import QueueListRepresentation, QueueRepresentation

LIST_QUEUES = Operation(
    operation_id="list_queues",
    scope=Scope.ADMIN,
    summary="List the queues",
    description=(
        "Answers with the queues that settings and task types name, and with those in which a task "
        "waits or runs. The figures are counted every few seconds. Backends that cannot count are "
        "left out."
    ),
    tag="queues",
    answers={200: Answer(description="The queues.", representation=QueueListRepresentation)},
    problems=(problems.QueuesNotSupported,),
)
GET_QUEUE = Operation(
    operation_id="get_queue",
    scope=Scope.ADMIN,
    summary="Read a queue",
    description="Answers with one queue, as the list shows it.",
    tag="queues",
    answers={200: Answer(description="The queue.", representation=QueueRepresentation)},
    problems=(problems.NotFound, problems.QueuesNotSupported),
    parameters=(
        {
            "name": "name",
            "in": "path",
            "required": True,
            "description": "The name of the queue; a slash in it may be spelled `%2F`.",
            "schema": {"type": "string"},
            "example": "default",
        },
        query_parameter("backend", "Which backend's, where several have a queue of this name."),
    ),
)
