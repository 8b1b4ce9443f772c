"""
Additional members of a task's JSON, which optional apps register.

Example:
    `register_task_member(TaskMember("schedule", hint=str | None, values=schedules_of))`, in
    `AppConfig.ready()`; `schedules_of(tasks)` returns a dictionary by task id.

"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks_api.backends import StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.registered import Registered
from tasks_api.results.representation import TaskRepresentation, sees_results

logger = logging.getLogger("tasks_api.results")


@dataclass(frozen=True, slots=True)
class TaskMember:
    """
    A member of a task's JSON; null for a task without a value.

    Attributes:
        name: the member.
        hint: the type of its values, including None, for the OpenAPI document.
        values: returns the values by task id, without those that are null.
        needs_read: whether it is null for a client without the scope `read`, such as the progress of
            a task; False for what the client itself has set.
        in_browsers: whether it is shown to who has a task token, and so to people.

    """

    name: str
    hint: Any
    values: Callable[[Sequence[StoredTask]], Mapping[str, Any]]
    needs_read: bool = True
    in_browsers: bool = False


task_members: Registered[TaskMember] = Registered(
    "member of tasks", reserved=TaskRepresentation.__annotations__
)


def register_task_member(member: TaskMember) -> None:
    """Add a member to tasks; call this in `AppConfig.ready()`."""
    task_members.add(member.name, member)


def values_of_members(tasks: Sequence[StoredTask]) -> dict[str, dict[str, Any]]:
    """Return the additional members of tasks by their ids, for comparison."""
    return _by_task(tasks, {name: member.values(tasks) for name, member in task_members.items()})


def members_of(tasks: Sequence[StoredTask], reader: Caller) -> dict[str, dict[str, Any]]:
    """Return the additional members of tasks by their ids, null for what the client may not see."""
    values = {
        name: member.values(tasks) if _is_visible(member, reader) else {}
        for name, member in task_members.items()
    }
    return _by_task(tasks, values)


def _by_task(
    tasks: Sequence[StoredTask], values: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    return {task.id: {name: values[name].get(task.id) for name in values} for task in tasks}


def _is_visible(member: TaskMember, reader: Caller) -> bool:
    if reader.only_task is not None and not member.in_browsers:
        return False
    return sees_results(reader) or not member.needs_read


def members_of_new(tasks: Sequence[StoredTask], reader: Caller) -> dict[str, dict[str, Any]]:
    """
    Return the same for tasks that were just enqueued, null for what cannot be read.

    They are stored: an error would make the client send them again.
    """
    try:
        return members_of(tasks, reader)
    except Exception:
        logger.exception("The additional members of %d new tasks could not be read", len(tasks))
        return {task.id: dict.fromkeys(task_members) for task in tasks}
