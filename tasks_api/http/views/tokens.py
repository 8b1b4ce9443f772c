"""`/tasks/{id}/tokens/`: give a browser access to one task."""

import math
import time
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired, TypedDict

from django.http import HttpRequest, HttpResponse
from pydantic import Field
from rest_framework.viewsets import ViewSet

from tasks_api import problems
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
from tasks_api.timestamps import timestamp

SECONDS = "expires_in_seconds"


class TaskTokenRequestRepresentation(TypedDict):
    """How long a token is to be valid."""

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
        tracebacks, and does nothing else. It ends with the key that made it, or after an hour.
        """
        seconds = _seconds(read_members(request, allowed=[SECONDS]))
        key_id = self.caller.key_id
        if key_id is None:
            raise PermissionDenied("Only a client with a key of this service can make task tokens.")
        task = read(task_id, self.caller)
        expires_at = math.floor(time.time()) + seconds
        if self.caller.key_expires_at is not None:
            expires_at = min(expires_at, math.floor(self.caller.key_expires_at.timestamp()))
        token = task_tokens.issue(task.id, key_id, expires_at=expires_at)
        answer: TaskTokenRepresentation = {
            "token": token,
            "expires_at": timestamp(datetime.fromtimestamp(expires_at, UTC)),
        }
        return json_response(answer, status=201, headers={"Cache-Control": "no-store"})


def _seconds(body: dict[str, Any]) -> int:
    seconds = body.get(SECONDS, task_tokens.DEFAULT_SECONDS)
    # As everywhere, 60.0 is a whole number, and true is none.
    is_whole = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_whole or seconds != int(seconds):
        raise InvalidRequest(
            faults=[Fault("integer_type", "Should be a whole number.", pointer=f"/{SECONDS}")]
        )
    if not 1 <= seconds <= task_tokens.MAX_SECONDS:
        detail = f"Should be from 1 to {task_tokens.MAX_SECONDS}."
        raise InvalidRequest(faults=[Fault("out_of_range", detail, pointer=f"/{SECONDS}")])
    return int(seconds)
