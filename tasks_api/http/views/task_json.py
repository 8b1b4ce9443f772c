"""Tasks in answers: their URLs, what the reader may see, when to ask again."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api.backends import StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.http.protocol.links import absolute_url
from tasks_api.results.members import with_members
from tasks_api.results.representation import TaskRepresentation, represent, sees_tracebacks

MAX_RETRY_AFTER_SECONDS = 60


def represented(
    tasks: Iterable[StoredTask], request: Request, reader: Caller
) -> Iterator[tuple[StoredTask, TaskRepresentation]]:
    """Yield each task with its JSON object, as this client may see it."""
    for task, members in with_members(tasks):
        yield task, represent_to(reader, request, task, members)


def represent_to(
    reader: Caller, request: Request, task: StoredTask, members: Mapping[str, Any]
) -> TaskRepresentation:
    """Build the JSON object of a task as this client may see it."""
    url = absolute_url(request, "task", task.id)
    return represent(task, url=url, with_tracebacks=sees_tracebacks(reader), members=members)


def task_response(task: StoredTask, request: Request, reader: Caller, *, status: int) -> Response:
    """Answer with a task, and say when to ask again."""
    ((_, representation),) = represented([task], request, reader)
    return Response(representation, status=status, headers=polling_hint(task))


def polling_hint(task: StoredTask) -> dict[str, str]:
    """Return the header that says when to ask again, in whole seconds; none for a finished task."""
    if task.is_finished:
        return {}
    seconds: Any = 1
    if task.run_after is not None:
        seconds = math.ceil((task.run_after - datetime.now(UTC)).total_seconds())
    return {"Retry-After": str(min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS))}
