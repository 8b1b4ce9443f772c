"""`/tasks/{id}/tokens/`: give a browser access to one task."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NotRequired, TypedDict

from django.http import HttpRequest, HttpResponse
from pydantic import ConfigDict, Field
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.arguments.whole_numbers import as_integer
from tasks_api.faults import Fault
from tasks_api.http.access import task_tokens
from tasks_api.http.openapi.operation import READING_A_BODY, Answer, Operation
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.protocol.strict_json import read_members
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.task import TASK_ID
from tasks_api.models import Scope
from tasks_api.problems import InvalidRequest, PermissionDenied
from tasks_api.results.reading import read
from tasks_api.results.representation import Timestamp
from tasks_api.timestamps import aware, timestamp

SECONDS = "expires_in_seconds"


class TaskTokenRequestRepresentation(TypedDict):
    """How long a token is to be valid."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    expires_in_seconds: NotRequired[Annotated[int | None, Field(ge=1, le=task_tokens.MAX_SECONDS)]]


class TaskTokenRepresentation(TypedDict):
    """A token for one task."""

    token: Annotated[str, Field(examples=["tt_WyI1ZjBjMzMyYS0…"])]
    expires_at: Timestamp


class TaskTokenViewSet(Resource, ViewSet):
    """Tokens for one execution of a task."""

    tag = "tasks"

    @Operation(
        "create_task_token",
        scope=Scope.READ,
        answers={201: Answer(description="The token.", representation=TaskTokenRepresentation)},
        problems=(*READING_A_BODY, problems.NotFound, problems.ResultsNotSupported),
        parameters=(TASK_ID,),
        body=TaskTokenRequestRepresentation,
    )
    def create(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """
        Create a task token.

        A token is for a browser: it reads this task, waits for it and watches it, without its arguments and
        tracebacks, and does nothing else. It ends after `expires_in_seconds`, an hour if that is not given, and not
        later than the key that made it.
        """
        seconds = _seconds(read_members(request, allowed=[SECONDS]))
        key_id = self.caller.key_id
        if key_id is None:
            raise PermissionDenied("Only a client with a key of this service can make task tokens.")
        task = read(task_id, self.caller)
        expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
        if (key_expires_at := aware(self.caller.key_expires_at)) is not None:
            expires_at = min(expires_at, key_expires_at)
        token = task_tokens.issue(task.id, key_id, expires_at=expires_at.timestamp())
        answer: TaskTokenRepresentation = {"token": token, "expires_at": timestamp(expires_at)}
        return json_response(answer, status=201, headers={"Cache-Control": "no-store"})


def _seconds(body: dict[str, Any]) -> int:
    seconds = as_integer(body.get(SECONDS, task_tokens.DEFAULT_SECONDS))
    if seconds is not None and 1 <= seconds <= task_tokens.MAX_SECONDS:
        return seconds
    code = "integer_type" if seconds is None else "out_of_range"
    detail = f"Should be a whole number from 1 to {task_tokens.MAX_SECONDS}."
    raise InvalidRequest(faults=[Fault(code, detail, pointer=f"/{SECONDS}")])
