"""Enqueueing a finished task again, as a new task."""

from typing import Any

from tasks_api.backends import Call, StoredTask
from tasks_api.backends.database.limits import policy_for
from tasks_api.calls.checking import check_call
from tasks_api.clients.caller import Caller
from tasks_api.policy_options import MAX_SECONDS
from tasks_api.problems import NotFinished


def call_again(task: StoredTask, caller: Caller, *, owner: int) -> Call:
    """
    Return the call of a finished task again, to run as soon as possible; it does not expire.

    Raises:
        NotFinished: 409, the task is not finished.
        Problem: 400, the call does not fit the current task type; pointers lead into the task.

    """
    if not task.is_finished:
        raise NotFinished
    same = {
        "task": task.task_path,
        "args": task.args,
        "kwargs": task.kwargs,
        "queue_name": task.queue_name,
        "priority": task.priority,
        **_limits_of(task),
    }
    return check_call(same, caller, owner=owner)


def _limits_of(task: StoredTask) -> dict[str, Any]:
    """Return the members that the call has said, at most what the present policy allows."""
    said, now = task.limits, policy_for(task.task_path, task.limits)
    return {
        "max_attempts": None if said.max_attempts is None else now.max_attempts,
        "timeout_seconds": None if said.timeout_seconds is None else _seconds(now.timeout_seconds),
    }


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, MAX_SECONDS)
