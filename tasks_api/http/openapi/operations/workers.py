"""What the document says of workers."""

from tasks_api import problems
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.models import Scope
from tasks_api.monitoring.workers import WorkerListRepresentation

LIST_WORKERS = Operation(
    operation_id="list_workers",
    scope=Scope.ADMIN,
    summary="List the workers",
    description=(
        "Answers with the processes that run tasks. One that is gone stays until another has ended "
        "its task, for some seconds as a rule."
    ),
    tag="workers",
    answers={200: Answer(description="The workers.", representation=WorkerListRepresentation)},
    problems=(problems.QueuesNotSupported,),
)
