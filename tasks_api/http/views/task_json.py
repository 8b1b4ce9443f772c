"""Tasks in answers: their URLs, what the reader may see, when to ask again."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest

from tasks_api.backends import StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.http.protocol.links import task_url
from tasks_api.json_text import json_bytes
from tasks_api.results.members import members_of, task_members
from tasks_api.results.representation import TaskRepresentation, represent

MAX_RETRY_AFTER_SECONDS = 60
TASKS_AT_ONCE = 50
BYTES_AT_ONCE = 1024 * 1024
"""How many tasks, and how much JSON, are held while apps are asked for members; one task at least."""


def represent_to(
    reader: Caller, request: HttpRequest, task: StoredTask, members: Mapping[str, Any]
) -> TaskRepresentation:
    """Build the JSON object of a task as this client may see it."""
    return represent(task, reader, url=task_url(request, task.id), members=members)


def encoded(
    tasks: Iterable[StoredTask], request: HttpRequest, reader: Caller
) -> Iterator[tuple[StoredTask, bytes]]:
    """Yield each task with its JSON as this client may see it, while few are held at a time."""
    own = ((task, json_bytes(represent_to(reader, request, task, {}))) for task in tasks)
    if not task_members:
        yield from own
        return
    for portion in _portions(own):
        members = members_of([task for task, _ in portion], reader)
        for task, text in portion:
            yield task, text.removesuffix(b"}") + b"," + json_bytes(members[task.id])[1:]


def polling_hint(task: StoredTask) -> dict[str, str]:
    """Return the header that says when to ask again, in whole seconds; none for a finished task."""
    if task.is_finished:
        return {}
    seconds: Any = 1
    if task.run_after is not None:
        seconds = math.ceil((task.run_after - datetime.now(UTC)).total_seconds())
    return {"Retry-After": str(min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS))}


def _portions(
    tasks: Iterable[tuple[StoredTask, bytes]],
) -> Iterator[Sequence[tuple[StoredTask, bytes]]]:
    portion: list[tuple[StoredTask, bytes]] = []
    for task, text in tasks:
        portion.append((task, text))
        if len(portion) == TASKS_AT_ONCE or sum(len(one) for _, one in portion) > BYTES_AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion
