"""What the OpenAPI document says of each operation; each is the decorator of its view's method."""

from tasks_api.http.openapi.operation import Operation
from tasks_api.http.openapi.operations import about, queues, task_types, tasks, workers

RESOURCES = (tasks, task_types, queues, workers, about)
OPERATIONS = tuple(
    value
    for resource in RESOURCES
    for value in vars(resource).values()
    if isinstance(value, Operation)
)
