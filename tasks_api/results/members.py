"""
The place of further members of a task's JSON: an optional app adds what it knows of tasks.

Example:
    `register_task_member(TaskMember("schedule", hint=str | None, values=schedules_of))`, in
    `AppConfig.ready()`; `schedules_of(tasks)` returns a dictionary by the ids of tasks.

"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from tasks_api.backends import StoredTask

TASKS_A_LOOK = 50
"""For how many tasks of a list an app is asked at once."""


@dataclass(frozen=True, slots=True)
class TaskMember:
    """
    A member of a task's JSON, null for a task that it says nothing of.

    Attributes:
        name: the member.
        hint: the type of its values, null included, for the document.
        values: returns the values by the ids of the tasks, those that are null left out.

    """

    name: str
    hint: Any
    values: Callable[[Sequence[StoredTask]], Mapping[str, Any]]


task_members: dict[str, TaskMember] = {}


def register_task_member(member: TaskMember) -> None:
    """Let tasks have one more member; call it in `AppConfig.ready()`."""
    task_members[member.name] = member


def with_members(tasks: Iterable[StoredTask]) -> Iterator[tuple[StoredTask, dict[str, Any]]]:
    """Yield each task with what apps say of it; where there are none, nothing is asked."""
    if not task_members:
        yield from ((task, {}) for task in tasks)
        return
    for some in batched(tasks, TASKS_A_LOOK):
        values = {name: member.values(some) for name, member in task_members.items()}
        for task in some:
            yield task, {name: values[name].get(task.id) for name in values}
