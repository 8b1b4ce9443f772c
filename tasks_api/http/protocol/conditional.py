"""Conditional requests (RFC 9110, section 13): an unchanged task is answered without a body."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.http import parse_etags

from tasks_api.backends import StoredTask
from tasks_api.results.representation import limits_of


def state_tag(task: StoredTask, members: Mapping[str, Any]) -> str:
    """Derive a short text from all that can change in a task, including members of optional apps."""
    state = (
        task.id,
        task.status,
        task.run_after,
        task.started_at,
        task.last_attempted_at,
        task.finished_at,
        task.worker_ids,
        task.cancel_requested_at,
        # What its policy says may be other after a restart.
        limits_of(task),
        members,
    )
    return hashlib.sha256(repr(state).encode()).hexdigest()[:24]


def entity_tag(task: StoredTask, members: Mapping[str, Any]) -> str:
    """Derive a weak entity tag from the same."""
    return f'W/"{state_tag(task, members)}"'


def is_current(request: HttpRequest, tag: str) -> bool:
    """Return whether `If-None-Match` contains the tag, by weak comparison, or is `*`."""
    header = request.META.get("HTTP_IF_NONE_MATCH")
    if not header:
        return False
    given = parse_etags(header)
    return "*" in given or tag.removeprefix("W/") in {one.removeprefix("W/") for one in given}
