"""The setting `TASKS_API`, read from Django's settings once and checked."""

from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksApiSettings:
    """
    The keys of `TASKS_API` in lower case, with their defaults.

    Attributes:
        tasks: fnmatch patterns of the task types that are exposed, e.g. `shop.tasks.*`.
        public_url: the origin, with a path where a proxy strips one, that emitted URLs begin with.
        max_body_bytes: the largest request body that is read.
        max_depth: how deeply arrays and objects of a body may nest.
        authentication_classes: the classes of DRF that tell who calls, as dotted paths.
        client_of: a function, as a dotted path, that maps a request which carries no key of ours,
            but was authenticated by the project's own classes, to a Client or None.
        remember_keys_seconds: for how long a process believes a key that it has checked.
        public_catalogue: whether the OpenAPI document shows the task types without a key.
        tracebacks: who is shown the traceback of a failed task: its owner, admins alone, nobody.
        max_result_bytes: the largest return value, as JSON, that a worker stores.
        lost_after_seconds: for how long a worker may go unseen before its task is ended.
        requeue_when_lost: fnmatch patterns of the task types that are safe to run twice: lost with
            its worker, such a task is put back once.
        retention_days: for how long finished tasks are kept; 0: for ever.
        retention_days_failed: the same for those that failed; None: as long as the others.

    """

    tasks: tuple[str, ...] = ()
    public_url: str = ""
    max_body_bytes: int = 1024 * 1024
    max_depth: int = 32
    authentication_classes: tuple[str, ...] = (
        "tasks_api.http.access.authentication.KeyAuthentication",
    )
    client_of: str = ""
    remember_keys_seconds: int = 5
    public_catalogue: bool = False
    tracebacks: Literal["owner", "admin", "none"] = "owner"
    max_result_bytes: int = 1024 * 1024
    lost_after_seconds: int = 30
    requeue_when_lost: tuple[str, ...] = ()
    retention_days: int = 14
    retention_days_failed: int | None = None


@cache
def tasks_api_settings() -> TasksApiSettings:
    """
    Return the settings in force.

    Raises:
        ImproperlyConfigured: a key is unknown or its value has the wrong type.

    """
    given: dict[str, Any] = getattr(settings, "TASKS_API", {})
    types = {field.name.upper(): field.type for field in fields(TasksApiSettings)}
    if unknown := sorted(given.keys() - types.keys()):
        known = ", ".join(sorted(types))
        raise ImproperlyConfigured(f"TASKS_API has no setting {unknown[0]!r}; there are: {known}.")
    return TasksApiSettings(
        **{key.lower(): _checked(key, value, types[key]) for key, value in given.items()}
    )


def _checked(key: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if isinstance(value, list | tuple) and all(isinstance(entry, item) for entry in value):
            return tuple(value)
        raise ImproperlyConfigured(f"TASKS_API[{key!r}] must be a list of {item.__name__}.")
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        choices = ", ".join(get_args(kind))
        raise ImproperlyConfigured(f"TASKS_API[{key!r}] must be one of {choices}.")
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if type(value) not in kinds:
        names = " or ".join("None" if one is type(None) else one.__name__ for one in kinds)
        raise ImproperlyConfigured(f"TASKS_API[{key!r}] must be of type {names}.")
    return value


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "TASKS_API":
        tasks_api_settings.cache_clear()


setting_changed.connect(_forget)
