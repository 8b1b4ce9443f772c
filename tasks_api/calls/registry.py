"""
The tasks that can be enqueued: installed apps define them, and settings expose them.

A name that a client sends is only looked up in this registry; it is never imported.
"""

import inspect
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.tasks import Task
from django.tasks.exceptions import InvalidTask
from django.utils.module_loading import module_has_submodule

from tasks_api.arguments import Arguments, UnservableSignature
from tasks_api.conf import reset_when_settings_change, tasks_api_settings


@dataclass(frozen=True, slots=True)
class TaskType:
    """A registered `@task` function; its name is its module path, e.g. `shop.tasks.refund`."""

    task: "Task[..., Any]"
    arguments: Arguments

    @property
    def name(self) -> str:
        return self.task.module_path

    @property
    def description(self) -> str:
        return inspect.getdoc(self.task.func) or ""

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.task.func)


class Registry:
    """
    The task types of this process.

    Attributes:
        unservable: the names of exposed tasks that cannot be served, with the reason.

    """

    def __init__(self) -> None:
        self._discovered: dict[str, Task[..., Any]] = {}
        self._task_types: dict[str, TaskType] | None = None
        self.unservable: dict[str, str] = {}

    def discover(self) -> None:
        """
        Import the `tasks` module of every installed app and collect its tasks.

        Raises:
            ImproperlyConfigured: a module cannot be imported; the message names it.

        """
        for app in apps.get_app_configs():
            if app.module is not None and module_has_submodule(app.module, "tasks"):
                module = _import(f"{app.name}.tasks")
                self._discovered.update((task.module_path, task) for task in _tasks_of(module))
        self.forget()

    def forget(self) -> None:
        """Discard the task types, so that they are rebuilt from the current settings."""
        self._task_types = None
        self.unservable = {}

    @property
    def discovered(self) -> Collection[str]:
        """The names of all tasks, exposed or not."""
        return self._discovered.keys()

    @property
    def task_types(self) -> Mapping[str, TaskType]:
        """Every exposed task type by its name, in alphabetical order."""
        if self._task_types is None:
            self._task_types = dict(self._exposed())
        return self._task_types

    def _exposed(self) -> Iterator[tuple[str, TaskType]]:
        patterns = tasks_api_settings().tasks
        for name, task in sorted(self._discovered.items()):
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                try:
                    yield name, TaskType(task, Arguments.of(task))
                except UnservableSignature as error:
                    self.unservable[name] = str(error)


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, InvalidTask) and str(error).startswith("Queue "):
            # Django does not say where queues are listed.
            reason += (
                " Add it to QUEUES of the task's backend in the setting TASKS; in the service, add it "
                "to the variable TASKS_QUEUES."
            )
        raise ImproperlyConfigured(
            f"The tasks module {name} cannot be imported: {reason}"
        ) from error


def _tasks_of(module: ModuleType) -> "Iterator[Task[..., Any]]":
    """Yield the module's tasks without aliases: only tasks that are found under their own path."""
    for value in vars(module).values():
        if isinstance(value, Task):
            task: Task[..., Any] = value
            home = vars(sys.modules[task.func.__module__])
            if home.get(task.func.__qualname__) is task:
                yield task


registry = Registry()
reset_when_settings_change(registry.forget)
