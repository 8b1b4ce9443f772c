"""Checks of the task backends, and of who runs their tasks."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.tasks.exceptions import InvalidTaskBackend

from tasks_api.backends import adapter_for

LOOKED_AT = 100
"""How many running tasks are looked at."""


@register
def check_backends(**_: Any) -> list[CheckMessage]:
    """Report backends that are not configured as this app needs them."""
    messages: list[CheckMessage] = []
    for alias in settings.TASKS:
        try:
            messages += adapter_for(alias).check()
        except InvalidTaskBackend:
            # Django's own checks report this.
            continue
    return messages


@register(Tags.database)
def check_workers(databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Report tasks that other workers than ours run."""
    messages: list[CheckMessage] = []
    seen = set()
    for alias in settings.TASKS:
        try:
            adapter = adapter_for(alias)
        except InvalidTaskBackend:
            continue
        if adapter.database not in (databases or ()) or adapter.store in seen:
            continue
        seen.add(adapter.store)
        if number := adapter.count_running_elsewhere(LOOKED_AT):
            tasks = "1 task is" if number == 1 else f"{number} tasks are"
            messages.append(
                Warning(
                    f"{tasks} RUNNING in no worker of this app: retries, time limits, expiry and "
                    "cancellation do not hold for what others claim.",
                    hint="Run no `db_worker` beside this app's workers. What one has left RUNNING at its "
                    "end stays so.",
                    id="tasks_api.W009",
                )
            )
    return messages
