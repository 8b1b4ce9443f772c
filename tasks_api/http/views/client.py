"""`/client/`: the client that a key belongs to."""

from typing import Annotated, TypedDict

from django.http import HttpRequest, HttpResponse
from pydantic import Field

from tasks_api.clients.caller import Caller
from tasks_api.conf import tasks_api_settings
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource
from tasks_api.results.representation import Timestamp
from tasks_api.timestamps import timestamp


class LimitsRepresentation(TypedDict):
    """The limits of a request."""

    max_body_bytes: int
    max_depth: Annotated[int, Field(description="The depth of arrays and objects in a body.")]


class ClientRepresentation(TypedDict):
    """The client that sent the request."""

    name: str
    scopes: list[str]
    task_patterns: Annotated[
        list[str], Field(description="The exposed task types that it may enqueue.")
    ]
    rate: Annotated[
        str | None, Field(description="Its rate limit, if it has one.", examples=["100/min"])
    ]
    key_expires_at: Timestamp | None
    limits: LimitsRepresentation


class ClientView(Resource):
    """The client that a key belongs to."""

    tag = "about"

    @Operation(
        "get_client",
        answers={200: Answer(description="The client.", representation=ClientRepresentation)},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        """
        Read the client.

        Answers with the client that the key belongs to: what it may do, and its limits.
        """
        return json_response(_represent(self.caller))


def _represent(caller: Caller) -> ClientRepresentation:
    limits, expires_at = tasks_api_settings(), caller.key_expires_at
    return {
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "task_patterns": list(caller.task_patterns),
        "rate": str(caller.rate) if caller.rate else None,
        "key_expires_at": timestamp(expires_at) if expires_at else None,
        "limits": {"max_body_bytes": limits.max_body_bytes, "max_depth": limits.max_depth},
    }
