"""The decorator that describes an operation of a resource."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any

from tasks_api import problems
from tasks_api.problems import Problem

type Schema = dict[str, Any]

CALL = "Call"
"""The component of one call."""

BATCH = "Batch"
"""The component of several calls."""

TAGS = {
    "tasks": "Enqueued executions of task types.",
    "task types": "Registered task functions.",
    "queues": "Waiting and running tasks by queue.",
    "workers": "Processes that run tasks.",
    "about": "The resources, and the client itself.",
    "health": "Health checks for process managers and load balancers.",
}
"""The groups of operations, in the order of the document; an app adds its own."""

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
class Answer:
    """
    A successful answer.

    Attributes:
        representation: the type that its JSON is built from; None if it has none.
        media_type: the type of a body that is not JSON, which is a string in the document.

    """

    description: str
    representation: type | None = None
    media_type: str | None = None
    headers: tuple[str, ...] = ()


@dataclass
class Operation:
    """
    An operation of a resource: the decorator of its view's method.

    The method's docstring gives the summary and the description in the document.

    Attributes:
        operation_id: the name of the method in generated clients.
        scope: the scope that a client needs; None if any client may use it.
        body: the component that describes the request's body, or a type for one that may be absent; None for
            no body.
        takes_task_tokens: whether a token for the task in the URL will do.

    """

    operation_id: str
    _: KW_ONLY
    answers: Mapping[int, Answer]
    scope: str | None = None
    problems: tuple[type[Problem], ...] = ()
    parameters: tuple[Schema, ...] = ()
    body: str | type | None = None
    takes_task_tokens: bool = False
    summary: str = field(init=False)
    description: str = field(init=False)

    def __call__[Method: Callable[..., Any]](self, method: Method) -> Method:
        summary, _, description = (inspect.getdoc(method) or "").partition("\n\n")
        self.summary = summary.removesuffix(".")
        self.description = " ".join(description.split())
        method.operation = self  # type: ignore[attr-defined]
        return method

    @cached_property
    def query_parameters(self) -> frozenset[str]:
        """The names of its query parameters."""
        return frozenset(one["name"] for one in self.parameters if one["in"] == "query")


def operation_of(view: Any, method: str) -> Operation | None:
    """Return the operation of a view for a method such as `GET`, if there is one."""
    name = getattr(view, "action", None) or method.lower()
    served: Operation | None = getattr(getattr(view, name, None), "operation", None)
    return served


def path_parameter(name: str, description: str, example: str | None = None) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        **({} if example is None else {"example": example}),
    }


def query_parameter(name: str, description: str, schema: Schema | None = None) -> Schema:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
    }


def header_parameter(name: str, description: str, schema: Schema | None = None) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
    }
