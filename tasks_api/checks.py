"""System checks: problems with the configuration are reported at start-up, with a hint."""

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections, router
from django.tasks.exceptions import InvalidTaskBackend

from tasks_api.backends import adapter_for
from tasks_api.calls.patterns import unmatched_by_discovered
from tasks_api.calls.registry import registry
from tasks_api.conf import tasks_api_settings
from tasks_api.http.access.authentication import (
    KeyAuthentication,
    authentication_classes,
    client_of,
)
from tasks_api.models import Client


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
    patterns = tasks_api_settings()
    variables = {"tasks": "TASKS_API_TASKS", "requeue_when_lost": "REQUEUE_WHEN_LOST"}
    for key, variable in variables.items():
        for sentence in unmatched_by_discovered(getattr(patterns, key)):
            yield Warning(
                sentence,
                hint=f"Correct TASKS_API['{key.upper()}'] (in the service, the variable {variable}), "
                "or install the app of the task.",
                id="tasks_api.W006",
            )
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


@register
def check_authentication(**_: Any) -> list[CheckMessage]:
    """Report missing authentication, and authenticated requests that map to no client."""
    try:
        classes = authentication_classes()
    except ImportError as error:
        return [
            Error(
                f"An authentication class cannot be imported: {error}",
                hint="Correct TASKS_API['AUTHENTICATION_CLASSES'].",
                id="tasks_api.E004",
            )
        ]
    if not classes:
        return [
            Error(
                "TASKS_API['AUTHENTICATION_CLASSES'] is empty: every request will be refused.",
                hint="Name at least one class in TASKS_API['AUTHENTICATION_CLASSES'].",
                id="tasks_api.E005",
            )
        ]
    if client_of_error := _client_of_error():
        return [client_of_error]
    others = [kind.__name__ for kind in classes if not issubclass(kind, KeyAuthentication)]
    if others and not tasks_api_settings().client_of:
        return [
            Error(
                f"No setting maps requests that {others[0]} authenticates to a client.",
                hint="Set TASKS_API['CLIENT_OF'] to the dotted path of a function of the request.",
                id="tasks_api.E006",
            )
        ]
    return []


def _client_of_error() -> CheckMessage | None:
    try:
        function = client_of()
    except ImportError as error:
        reason = f"cannot be imported: {error}"
    else:
        if callable(function):
            return None
        reason = "is not a function"
    return Error(
        f"TASKS_API['CLIENT_OF'] {reason}",
        hint="Set it to the dotted path of a function of the request.",
        id="tasks_api.E009",
    )


@register(Tags.database)
def check_rates(databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Report a cache that cannot count exactly, if any client has a rate limit."""
    alias = router.db_for_read(Client)
    if alias not in (databases or ()):
        return []
    # Before the first migration there is no table to ask.
    has_table = Client._meta.db_table in connections[alias].introspection.table_names()
    if has_table and Client.objects.exclude(rate="").exists():
        return messages_on_rates()
    return []


def messages_on_rates() -> list[CheckMessage]:
    """Return why the requests of clients cannot be counted exactly in the cache that is named."""
    alias = tasks_api_settings().rate_cache
    hint = "Name a cache in Redis or Memcached, or none, to count in the database."
    if not alias:
        return []
    try:
        cache = caches[alias]
    except InvalidCacheBackendError as error:
        return [
            Error(
                f"The cache of TASKS_API['RATE_CACHE'] cannot be used: {error}",
                hint=hint,
                id="tasks_api.E010",
            )
        ]
    if isinstance(cache, LocMemCache | DatabaseCache | FileBasedCache | DummyCache):
        return [
            Warning(
                "Rate limits are not exact: the cache of TASKS_API['RATE_CACHE'] does not increment "
                "atomically, or not for all web processes.",
                hint=hint,
                id="tasks_api.W005",
            )
        ]
    return []
