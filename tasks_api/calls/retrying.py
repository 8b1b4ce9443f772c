"""Enqueueing anew what has finished, as a task of its own."""

from tasks_api.backends import Call, StoredTask
from tasks_api.calls.checking import check_call
from tasks_api.clients.caller import Caller
from tasks_api.problems import NotFinished


def call_again(task: StoredTask, caller: Caller, *, owner: int) -> Call:
    """
    Make the call of a finished task once more, to run as soon as it can.

    Raises:
        NotFinished: 409, the task may still succeed.
        Problem: 400, the call does not fit the task type as it is today; pointers are into the task.

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
