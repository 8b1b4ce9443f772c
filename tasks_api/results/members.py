"""
Additional members of a task's JSON, which optional apps register.

Example:
    `register_task_member(TaskMember("schedule", hint=str | None, values=schedules_of))`, in
    `AppConfig.ready()`; `schedules_of(tasks)` returns a dictionary by task id.

"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from tasks_api.backends import StoredTask

TASKS_PER_CALL = 50
"""For how many tasks of a list an app's `values` is called at once."""


@dataclass(frozen=True, slots=True)
class TaskMember:
    """
    A member of a task's JSON; null for a task without a value.

    Attributes:
        name: the member.
        hint: the type of its values, including None, for the OpenAPI document.
        values: returns the values by task id, without those that are null.

    """

    name: str
    hint: Any
    values: Callable[[Sequence[StoredTask]], Mapping[str, Any]]


task_members: dict[str, TaskMember] = {}


def register_task_member(member: TaskMember) -> None:
    """Add a member to tasks; call this in `AppConfig.ready()`."""
    task_members[member.name] = member


def with_members(tasks: Iterable[StoredTask]) -> Iterator[tuple[StoredTask, dict[str, Any]]]:
    """Yield each task with the additional members of apps."""
    if not task_members:
        yield from ((task, {}) for task in tasks)
        return
    for some in batched(tasks, TASKS_PER_CALL):
        values = {name: member.values(some) for name, member in task_members.items()}
        for task in some:
            yield task, {name: values[name].get(task.id) for name in values}
