"""Enqueueing a finished task again, as a new task."""

from tasks_api.backends import Call, StoredTask
from tasks_api.calls.checking import check_call
from tasks_api.clients.caller import Caller
from tasks_api.problems import NotFinished


def call_again(task: StoredTask, caller: Caller, *, owner: int) -> Call:
    """
    Return the call of a finished task again, to run as soon as possible.

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
    }
    return check_call(same, caller, owner=owner)
