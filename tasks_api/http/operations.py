"""What the OpenAPI document says of each operation; each is the decorator of its view's method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from pydantic import Field

from tasks_api import problems
from tasks_api.calls.batch import MAX_TASKS
from tasks_api.calls.catalogue import TaskTypeListRepresentation, TaskTypeRepresentation
from tasks_api.http.queries import DEFAULT_PAGE_SIZE, MAX_IDS, MAX_PAGE_SIZE, STATUSES
from tasks_api.models import Scope
from tasks_api.problems import Problem
from tasks_api.results.representation import (
    TaskBatchRepresentation,
    TaskListRepresentation,
    TaskRepresentation,
    Timestamp,
)


class RootRepresentation(TypedDict):
    """The URLs of the other resources."""

    task_types: str
    tasks: str
    client: str
    openapi: str
    docs: str
    problems: str


class LimitsRepresentation(TypedDict):
    """What a request may be at most."""

    max_body_bytes: int
    max_depth: Annotated[int, Field(description="Of arrays and objects in a body.")]


class ClientRepresentation(TypedDict):
    """The client that asks, as the server knows it."""

    name: str
    scopes: list[str]
    task_patterns: Annotated[
        list[str], Field(description="Which of the exposed task types it may enqueue.")
    ]
    rate: Annotated[
        str | None, Field(description="How many requests it may send.", examples=["100/min"])
    ]
    key_expires_at: Timestamp | None
    limits: LimitsRepresentation


class HealthRepresentation(TypedDict):
    """A process that is well."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer: `representation` is None for one without a body."""

    description: str
    representation: type | None = None
    headers: tuple[str, ...] = ()


CALL = "Call"
"""The component of any one call."""

BATCH = "Batch"
"""The component of several."""

ALWAYS: tuple[type[Problem], ...] = (
    problems.InvalidRequest,
    problems.NotAcceptable,
    problems.InternalError,
)
FOR_CLIENTS: tuple[type[Problem], ...] = (
    problems.NotAuthenticated,
    problems.InsufficientScope,
    problems.PermissionDenied,
    problems.Throttled,
    problems.StoreUnavailable,
)
READING_A_BODY: tuple[type[Problem], ...] = (
    problems.MalformedJSON,
    problems.LengthRequired,
    problems.BodyTooLarge,
    problems.UnsupportedMediaType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    An operation of a resource.

    Attributes:
        operation_id: the name of the method in generated clients.
        scope: what a client must be allowed to do; None where any client will do.
        body: the component that describes the request's body; None where there is none.

    """

    operation_id: str
    scope: Scope | None
    summary: str
    description: str
    tag: str
    answers: dict[int, Answer]
    problems: tuple[type[Problem], ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    body: str | None = None

    @property
    def query_parameters(self) -> set[str]:
        """The names of the query parameters that it takes."""
        return {parameter["name"] for parameter in self.parameters if parameter["in"] == "query"}

    def __call__[Method: Callable[..., Any]](self, method: Method) -> Method:
        method.operation = self  # type: ignore[attr-defined]
        return method


TASK_ID: dict[str, Any] = {
    "name": "task_id",
    "in": "path",
    "required": True,
    "description": "The `id` of the task.",
    "schema": {"type": "string"},
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "1 to 255 visible ASCII characters of the client's choice, new for each new request; bare "
        "or as a quoted string (RFC 8941). The same key with the same request is answered with "
        "the first request's task, and enqueues nothing, for 24 hours."
    ),
    "schema": {
        "type": "string",
        "pattern": r"""^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$""",
    },
}


def _query_parameter(
    name: str, description: str, schema: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
    }


ENQUEUE_TASK = Operation(
    operation_id="enqueue_task",
    scope=Scope.ENQUEUE,
    summary="Enqueue a task",
    description=(
        "Checks the call against the signature of the task's function, stores it and answers. "
        "Arguments can also be passed by position, in `args`, as in a call in Python."
    ),
    tag="tasks",
    answers={
        202: Answer(
            description="The task is stored and will run.",
            representation=TaskRepresentation,
            headers=("Location", "Retry-After", "Idempotent-Replayed"),
        ),
        200: Answer(
            description="The task is finished: its backend runs tasks at once, or this is a replay.",
            representation=TaskRepresentation,
            headers=("Location", "Idempotent-Replayed"),
        ),
    },
    problems=(
        *READING_A_BODY,
        problems.UnknownTask,
        problems.InvalidArguments,
        problems.NotSupportedByBackend,
        problems.IdempotencyInProgress,
        problems.IdempotencyKeyReused,
        problems.StoreUnavailable,
    ),
    parameters=(IDEMPOTENCY_KEY,),
    body=CALL,
)
ENQUEUE_BATCH = Operation(
    operation_id="enqueue_batch",
    scope=Scope.ENQUEUE,
    summary="Enqueue several tasks",
    description=(
        f"Enqueues 1 to {MAX_TASKS:,} tasks, of one type or of many, or none of them: all are checked "
        "before one is stored, and all are stored in one transaction. Tasks of the same priority and "
        "the same `run_after` run in the order of the list. To a client with a rate, a batch of n "
        "counts n."
    ),
    tag="tasks",
    answers={
        202: Answer(
            description="The tasks, in the order of the request.",
            representation=TaskBatchRepresentation,
            headers=("Idempotent-Replayed",),
        ),
    },
    problems=ENQUEUE_TASK.problems,
    parameters=(IDEMPOTENCY_KEY,),
    body=BATCH,
)
CANCEL_TASK = Operation(
    operation_id="cancel_task",
    scope=Scope.CANCEL,
    summary="Cancel a task",
    description=(
        "Ends a task that no worker has started: it becomes FAILED, and its `errors` name "
        "`tasks_api.exceptions.TaskCancelled`. A task that was cancelled before stays as it is."
    ),
    tag="tasks",
    answers={200: Answer(description="The task.", representation=TaskRepresentation)},
    problems=(
        *READING_A_BODY,
        problems.NotSupportedByBackend,
        problems.NotFound,
        problems.NotCancellable,
        problems.ResultsNotSupported,
    ),
    parameters=(TASK_ID,),
)
RETRY_TASK = Operation(
    operation_id="retry_task",
    scope=Scope.ENQUEUE,
    summary="Retry a task",
    description=(
        "Enqueues a new task of the same type, with the same arguments, queue, priority and owner as "
        "one that is finished, to run as soon as it can. The arguments are checked against the "
        "signature as it is today; pointers of `errors` lead into the finished task."
    ),
    tag="tasks",
    answers=ENQUEUE_TASK.answers,
    problems=(
        *READING_A_BODY,
        problems.UnknownTask,
        problems.InvalidArguments,
        problems.NotSupportedByBackend,
        problems.NotFound,
        problems.NotFinished,
        problems.IdempotencyInProgress,
        problems.IdempotencyKeyReused,
        problems.ResultsNotSupported,
    ),
    parameters=(TASK_ID, IDEMPOTENCY_KEY),
)
GET_TASK = Operation(
    operation_id="get_task",
    scope=Scope.READ,
    summary="Read a task",
    description=(
        "Answers with the task in whatever state it is. A task that failed is not an HTTP error: "
        "its `errors` say why. `Retry-After` says when to ask again."
    ),
    tag="tasks",
    answers={
        200: Answer(
            description="The task.",
            representation=TaskRepresentation,
            headers=("ETag", "Retry-After"),
        ),
        304: Answer(
            description="The task is as it was when it was answered with this `ETag`.",
            headers=("ETag", "Retry-After"),
        ),
    },
    problems=(problems.NotFound, problems.ResultsNotSupported, problems.StoreUnavailable),
    parameters=(
        TASK_ID,
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "The `ETag` of an earlier answer.",
            "schema": {"type": "string"},
        },
    ),
)
LIST_TASKS = Operation(
    operation_id="list_tasks",
    scope=Scope.READ,
    summary="List tasks",
    description=(
        "Answers with a page of tasks, newest first; `next` and `previous` are the URLs of its "
        "neighbours. Tasks that are added meanwhile shift nothing. A page of filtered tasks may be "
        "short, or empty, and still have a next one: what is looked at for one page is bounded. "
        "With `id`, answers with the named tasks alone, as far as they exist; all that fit into a "
        "page, and `next` asks for the others."
    ),
    tag="tasks",
    answers={
        200: Answer(
            description="A page of tasks.",
            representation=TaskListRepresentation,
            headers=("Link",),
        ),
    },
    problems=(problems.InvalidCursor, problems.ListingNotSupported, problems.StoreUnavailable),
    parameters=(
        _query_parameter(
            "status",
            "One of the states to list; may be repeated.",
            {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
        ),
        _query_parameter("task", "The name of a task type."),
        _query_parameter("queue_name", "The name of a queue."),
        _query_parameter(
            "enqueued_after",
            "The earliest moment of enqueueing.",
            {"type": "string", "format": "date-time"},
        ),
        _query_parameter(
            "enqueued_before",
            "The moment before which to list.",
            {"type": "string", "format": "date-time"},
        ),
        _query_parameter(
            "page_size",
            f"How many tasks a page has at most; {DEFAULT_PAGE_SIZE} unless given.",
            {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_PAGE_SIZE},
        ),
        _query_parameter(
            "cursor", "Where a page starts, out of `next` or `previous`, with the same filters."
        ),
        _query_parameter(
            "client",
            "For an admin: the name of the client whose tasks to list; `project` for those of the "
            "project's own code.",
        ),
        _query_parameter(
            "id",
            "The id of a task to read; may be repeated, and goes with no other parameter.",
            {"type": "array", "items": {"type": "string"}, "maxItems": MAX_IDS},
        ),
    ),
)
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
GET_ROOT = Operation(
    operation_id="get_root",
    scope=None,
    summary="Find the resources",
    description="Answers with the URLs of the other resources.",
    tag="about",
    answers={200: Answer(description="The URLs.", representation=RootRepresentation)},
)
GET_CLIENT = Operation(
    operation_id="get_client",
    scope=None,
    summary="Read who this key is",
    description="Answers with the client that asks: what it may do, and the limits that apply.",
    tag="about",
    answers={200: Answer(description="The client.", representation=ClientRepresentation)},
)
GET_LIVEZ = Operation(
    operation_id="get_livez",
    scope=None,
    summary="Ask whether the process answers",
    description="Looks at nothing but the process itself.",
    tag="health",
    answers={200: Answer(description="It does.", representation=HealthRepresentation)},
)
GET_READYZ = Operation(
    operation_id="get_readyz",
    scope=None,
    summary="Ask whether the service can work",
    description="Asks the store of tasks.",
    tag="health",
    answers={200: Answer(description="It can.", representation=HealthRepresentation)},
    problems=(problems.StoreUnavailable,),
)

OPERATIONS = tuple(value for value in list(globals().values()) if isinstance(value, Operation))
