"""What the document says of the service itself: its resources, its clients, its health."""

from typing import Annotated, TypedDict

from pydantic import Field

from tasks_api import problems
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.results.representation import Timestamp


class RootRepresentation(TypedDict):
    """The URLs of the other resources."""

    task_types: str
    tasks: str
    queues: str
    workers: str
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
