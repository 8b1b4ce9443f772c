"""Enqueueing anew what has finished, as a task of its own."""

from tasks_api.backends import StoredTask
from tasks_api.calls.call import Call
from tasks_api.clients.caller import Caller
from tasks_api.problems import NotFinished


def call_again(task: StoredTask, caller: Caller) -> Call:
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
    return Call.from_json(same, caller)
