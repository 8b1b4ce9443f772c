"""Task backends that the tests put in the place of the service's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.tasks import TaskResultStatus
from django.tasks.backends.dummy import DummyBackend
from django.tasks.exceptions import InvalidTask
from django.test import override_settings
from django_tasks_db.backend import DatabaseBackend

IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"
DUMMY = "django.tasks.backends.dummy.DummyBackend"
DATABASE = "django_tasks_db.DatabaseBackend"
KEEPING = f"{__name__}.KeepingBackend"
FINISHING = f"{__name__}.FinishingBackend"
CAREFUL = f"{__name__}.CarefulBackend"
FORGETFUL = f"{__name__}.ForgetfulBackend"


class KeepingBackend(DummyBackend):
    """A backend that picks its own ids and can read its tasks again."""

    supports_get_result = True


class FinishingBackend(KeepingBackend):
    """One whose tasks are finished at once."""

    def _store_result(self, result: Any) -> None:
        object.__setattr__(result, "status", TaskResultStatus.SUCCESSFUL)
        super()._store_result(result)  # type: ignore[misc]


class CarefulBackend(DatabaseBackend):
    """One that does more than store: `enqueued` tells what was enqueued by it."""

    enqueued: list[dict[str, Any]]

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        if kwargs.get("name") == "Mallory":
            raise InvalidTask("Not by that name.")
        self.enqueued.append(kwargs)
        return super().enqueue(task, args, kwargs)


class ForgetfulBackend(DatabaseBackend):
    """One that says it cannot read its tasks again."""

    supports_get_result = False


@contextmanager
def default_backend(path: str) -> Iterator[None]:
    """Give the default alias another backend."""
    tasks = {"default": {**settings.TASKS["default"], "BACKEND": path}}
    CarefulBackend.enqueued = []
    with override_settings(TASKS=tasks):
        yield
