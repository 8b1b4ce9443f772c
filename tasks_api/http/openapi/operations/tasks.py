"""What the document says of tasks: enqueueing, reading, listing, cancelling, retrying."""

from typing import Any

from tasks_api import problems
from tasks_api.calls.batch import MAX_TASKS
from tasks_api.http.openapi.operation import (
    BATCH,
    CALL,
    READING_A_BODY,
    Answer,
    Operation,
    query_parameter,
)
from tasks_api.http.protocol.list_query import DEFAULT_PAGE_SIZE, MAX_IDS, MAX_PAGE_SIZE, STATUSES
from tasks_api.models import Scope
from tasks_api.results.representation import (
    TaskBatchRepresentation,
    TaskListRepresentation,
    TaskRepresentation,
)

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

ENQUEUEING: tuple[type[problems.Problem], ...] = (
    *READING_A_BODY,
    problems.UnknownTask,
    problems.InvalidArguments,
    problems.NotSupportedByBackend,
    problems.IdempotencyInProgress,
    problems.IdempotencyKeyReused,
    problems.StoreUnavailable,
)

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
    # The task of the first request with the same key may have been removed.
    problems=(*ENQUEUEING, problems.NotFound),
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
    problems=ENQUEUEING,
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
        query_parameter(
            "status",
            "One of the states to list; may be repeated.",
            {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
        ),
        query_parameter("task", "The name of a task type."),
        query_parameter("queue_name", "The name of a queue."),
        query_parameter(
            "enqueued_after",
            "The earliest moment of enqueueing.",
            {"type": "string", "format": "date-time"},
        ),
        query_parameter(
            "enqueued_before",
            "The moment before which to list.",
            {"type": "string", "format": "date-time"},
        ),
        query_parameter(
            "page_size",
            f"How many tasks a page has at most; {DEFAULT_PAGE_SIZE} unless given.",
            {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_PAGE_SIZE},
        ),
        query_parameter(
            "cursor", "Where a page starts, out of `next` or `previous`, with the same filters."
        ),
        query_parameter(
            "client",
            "For an admin: the name of the client whose tasks to list; `project` for those of the "
            "project's own code.",
        ),
        query_parameter(
            "id",
            "The id of a task to read; may be repeated, and goes with no other parameter.",
            {"type": "array", "items": {"type": "string"}, "maxItems": MAX_IDS},
        ),
    ),
)
