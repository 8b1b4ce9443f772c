"""One adapter for each kind of task backend; no other package depends on the kind."""

from collections.abc import Hashable
from functools import cache

from django.conf import settings
from django.tasks import task_backends
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.backends.dummy import DummyBackend
from django.tasks.backends.immediate import ImmediateBackend
from django.tasks.exceptions import InvalidTaskBackend

from tasks_api.backends.base import (
    NO_LIMITS,
    Call,
    Failure,
    Limits,
    Position,
    QueueFigures,
    Selection,
    Slice,
    State,
    StoredTask,
)
from tasks_api.backends.built_in import BuiltInAdapter
from tasks_api.backends.generic import Adapter
from tasks_api.conf import reset_when_settings_change

__all__ = [
    "NO_LIMITS",
    "Adapter",
    "Call",
    "Failure",
    "Limits",
    "Position",
    "QueueFigures",
    "Selection",
    "Slice",
    "State",
    "StoredTask",
    "adapter_for",
    "adapters",
    "limits_apply_to",
]

_adapters: dict[str, Adapter] = {}
reset_when_settings_change(_adapters.clear)


def adapter_for(alias: str) -> Adapter:
    """Return the adapter of the backend with this alias in `TASKS`."""
    adapter = _adapters.get(alias)
    if adapter is None:
        backend = task_backends[alias]
        adapter = _adapters[alias] = _kind_of_adapter(backend)(backend)
    return adapter


def limits_apply_to(alias: str) -> bool:
    """Tell whether tasks of this backend have policies and limits, though it may not be configured any more."""
    try:
        return adapter_for(alias).applies_limits
    except InvalidTaskBackend:
        return any(adapter.applies_limits for adapter in adapters())


@cache
def adapters() -> tuple[Adapter, ...]:
    """Return one adapter for each store, also if several aliases share it."""
    by_store: dict[Hashable, Adapter] = {}
    for alias in settings.TASKS:
        adapter = adapter_for(alias)
        by_store.setdefault(adapter.store, adapter)
    return tuple(by_store.values())


reset_when_settings_change(adapters.cache_clear)


def _kind_of_adapter(backend: BaseTaskBackend) -> type[Adapter]:
    if isinstance(backend, DummyBackend | ImmediateBackend):
        return BuiltInAdapter
    # By name, because django_tasks_db may not be installed.
    if any(
        (kind.__module__, kind.__name__) == ("django_tasks_db.backend", "DatabaseBackend")
        for kind in type(backend).__mro__
    ):
        from tasks_api.backends.database.adapter import DatabaseAdapter  # noqa: PLC0415

        return DatabaseAdapter
    return Adapter
