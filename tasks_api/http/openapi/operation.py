"""What there is to say of an operation; the decorator of its view's method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks_api import problems
from tasks_api.models import Scope
from tasks_api.problems import Problem


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


def query_parameter(
    name: str, description: str, schema: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
    }
