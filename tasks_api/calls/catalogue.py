"""The description of task types for clients."""

from typing import Annotated, Any, TypedDict

from pydantic import Field

from tasks_api.backends import limits_apply_to
from tasks_api.calls.registry import TaskType, registry
from tasks_api.clients.caller import Caller
from tasks_api.policies import Policy, policy_of


class BackoffRepresentation(TypedDict):
    """The pauses between two attempts: `initial` seconds, and `factor` times as long each time."""

    initial: float
    factor: float
    max: Annotated[float, Field(description="The longest pause, in seconds.")]
    jitter: Annotated[
        float,
        Field(description="The part by which a pause may be shorter or longer, at random."),
    ]


class PolicyRepresentation(TypedDict):
    """How often its tasks are tried, and how long an attempt may take."""

    max_attempts: Annotated[int, Field(description="How many times a task is started at most.")]
    backoff: BackoffRepresentation
    retry_on: Annotated[
        list[str] | None,
        Field(
            description="The paths of the exceptions after which there is another attempt, subclasses "
            "included; null: whatever the task raises. What the worker itself ended an attempt for "
            "counts only where it is named: `WorkerLost`, `TaskTimedOut`, `ResultNotStorable`, "
            "`ResultTooLarge` and `TransactionLeftOpen` of `tasks_api.exceptions`."
        ),
    ]
    timeout_seconds: Annotated[
        float | None,
        Field(description="How long an attempt may take; null: as long as it takes."),
    ]
    stop_grace_seconds: Annotated[
        float,
        Field(description="How long a task may take to end once it was told to stop."),
    ]


class TaskTypeRepresentation(TypedDict):
    """A registered task: its name, its arguments, where it runs by default, how often it is tried."""

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
    policy: PolicyRepresentation


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
        "policy": _represent_policy(
            policy_of(task_type.name) if limits_apply_to(task.backend) else Policy()
        ),
    }


def _represent_policy(policy: Policy) -> PolicyRepresentation:
    backoff = policy.backoff
    return {
        "max_attempts": policy.max_attempts,
        "backoff": {
            "initial": backoff.initial,
            "factor": backoff.factor,
            "max": backoff.max,
            "jitter": backoff.jitter,
        },
        "retry_on": None if policy.retry_on is None else list(policy.retry_on),
        "timeout_seconds": policy.timeout_seconds,
        "stop_grace_seconds": policy.stop_grace_seconds,
    }
