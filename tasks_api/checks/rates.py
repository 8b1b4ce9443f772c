"""Checks of what counts requests."""

from collections.abc import Collection
from typing import Any

from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections, router

from tasks_api.conf import tasks_api_settings
from tasks_api.models import Client


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
