"""The description of task types for clients."""

from typing import Annotated, Any, TypedDict

from pydantic import Field

from tasks_api.calls.registry import TaskType, registry
from tasks_api.clients.caller import Caller


class TaskTypeRepresentation(TypedDict):
    """A registered task: its name, its arguments, where it runs by default."""

    name: Annotated[str, Field(examples=["service.tasks.say_hello"])]
    description: Annotated[str, Field(description="The docstring of its function.")]
    queue_name: str
    priority: int
    backend: str
    takes_context: bool
    is_async: bool
    arguments: Annotated[
        dict[str, Any],
        Field(description="A JSON Schema of an object with the members `args` and `kwargs`."),
    ]
    return_value: Annotated[
        dict[str, Any] | None,
        Field(description="A JSON Schema of the return value, if the function declares its type."),
    ]


class TaskTypeListRepresentation(TypedDict):
    """All task types that the client may enqueue, by name."""

    results: list[TaskTypeRepresentation]


def task_types_for(caller: Caller) -> list[TaskType]:
    """Return the task types that a client may enqueue, by name."""
    return [
        task_type for name, task_type in registry.task_types.items() if caller.may_enqueue(name)
    ]


def represent_task_type(task_type: TaskType) -> TaskTypeRepresentation:
    """Build the JSON object of a task type."""
    task = task_type.task
    return {
        "name": task_type.name,
        "description": task_type.description,
        "queue_name": task.queue_name,
        "priority": task.priority,
        "backend": task.backend,
        "takes_context": task.takes_context,
        "is_async": task_type.is_async,
        "arguments": task_type.arguments.schema,
        "return_value": task_type.arguments.return_value,
    }
