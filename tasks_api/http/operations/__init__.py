"""What the OpenAPI document says of each operation; each is the decorator of its view's method."""

from tasks_api.http.operations import about, task_types, tasks
from tasks_api.http.operations.operation import Operation

RESOURCES = (tasks, task_types, about)
OPERATIONS = tuple(
    value
    for resource in RESOURCES
    for value in vars(resource).values()
    if isinstance(value, Operation)
)
