"""Checks of the tasks that are exposed, and of the patterns that name tasks."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from tasks_api.calls.patterns import unmatched_by_discovered
from tasks_api.calls.registry import registry
from tasks_api.conf import tasks_api_settings


@register
def check_task_types(**_: Any) -> list[CheckMessage]:
    """Report an empty registry, and signatures that cannot be served or checked."""
    return list(_task_type_messages())


def _task_type_messages() -> Iterator[CheckMessage]:
    if not registry.task_types:
        yield Warning(
            "No task is exposed: every enqueue request will be refused.",
            hint="Set TASKS_API['TASKS'] to patterns of module paths, such as ['shop.tasks.*']; "
            "in the service, set the variable TASKS_API_TASKS.",
            id="tasks_api.W001",
        )
    settings = tasks_api_settings()
    yield from _unmatched("TASKS", "TASKS_API_TASKS", settings.tasks)
    yield from _unmatched("REQUEUE_WHEN_LOST", "REQUEUE_WHEN_LOST", settings.requeue_when_lost)
    yield from _unmatched("POLICIES", "POLICIES", settings.policies)
    for name, reason in registry.unservable.items():
        yield Error(
            f"The task {name} cannot be served: {reason}",
            hint="Change its signature, or leave it out of TASKS_API['TASKS'].",
            id="tasks_api.E001",
        )
    for task_type in registry.task_types.values():
        for sentence in task_type.arguments.warnings:
            yield Warning(
                f"The task {task_type.name}: {sentence}",
                hint="Change the hint, or convert the value in the function.",
                id="tasks_api.W002",
            )


def _unmatched(key: str, variable: str, patterns: Iterable[str]) -> Iterator[CheckMessage]:
    for sentence in unmatched_by_discovered(patterns):
        yield Warning(
            sentence,
            hint=f"Correct TASKS_API['{key}'] (in the service, the variable {variable}), "
            "or install the app of the task.",
            id="tasks_api.W006",
        )
