"""The setting `TASKS_API`: what its keys are, and what is in force."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from pydantic import AfterValidator, Field

from tasks_api.declared_settings import DeclaredSettings, Strings

MAX_BYTES = 100_000_000
MAX_RETENTION_DAYS = 36_500


def _http_url(text: str) -> str:
    url = urlsplit(text)
    if text and not (url.netloc and text.startswith(("http://", "https://"))):
        raise ValueError
    return text


class TasksApiSettings(DeclaredSettings):
    """The keys of `TASKS_API`; the service has an environment variable for nearly each of them."""

    tasks: Strings = Field(
        (), description="fnmatch patterns of the task types that are exposed, e.g. `shop.tasks.*`"
    )
    public_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description=(
            "what the URLs in answers begin with, with a path where a proxy strips one; without it, "
            "the request's own scheme and host"
        ),
        json_schema_extra={"expected": "a URL, such as https://tasks.example.org"},
    )
    public_catalogue: bool = Field(
        False, description="whether `/openapi.yaml` shows the exposed task types without a key"
    )
    authentication_classes: Strings = Field(
        ("tasks_api.http.access.authentication.KeyAuthentication",),
        description="dotted paths of the classes of Django REST framework that tell who calls",
    )
    client_of: str = Field(
        "",
        description=(
            "dotted path of a function that maps a request without a key, which other classes have "
            "authenticated, to a `Client` or None"
        ),
    )
    remember_keys_seconds: int = Field(
        5,
        ge=0,
        le=3600,
        description=(
            "for how long a process believes a key that it has checked, and so how long a "
            "revocation takes; 0: each request asks the database"
        ),
    )
    max_body_bytes: int = Field(
        1024 * 1024, ge=1024, le=MAX_BYTES, description="how large a request body may be"
    )
    max_depth: int = Field(
        32, ge=2, le=200, description="how deeply the arrays and objects of a body may nest"
    )
    tracebacks: Literal["owner", "admin", "none"] = Field(
        "owner",
        description=(
            "who is shown the traceback of a failed task: its owner and admins, admins alone, nobody"
        ),
    )
    max_result_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=MAX_BYTES,
        description="the largest return value, as JSON, that a worker stores; over it the task fails",
    )
    lost_after_seconds: int = Field(
        30,
        ge=1,
        le=86_400,
        description="after how long without a heartbeat a worker counts as lost",
    )
    requeue_when_lost: Strings = Field(
        (),
        description=(
            "fnmatch patterns of the task types that are safe to run twice: lost with its worker, "
            "such a task is put back once"
        ),
    )
    retention_days: int = Field(
        14,
        ge=0,
        le=MAX_RETENTION_DAYS,
        description=(
            "after how many days workers and `prune` remove a finished task, whoever enqueued it; "
            "0: never"
        ),
    )
    retention_days_failed: int | None = Field(
        None,
        ge=0,
        le=MAX_RETENTION_DAYS,
        description="the same for tasks that failed; without it, as long as the others",
    )


@cache
def tasks_api_settings() -> TasksApiSettings:
    """
    Return the settings in force.

    Raises:
        ImproperlyConfigured: a key is unknown or has a wrong value; the message says which.

    """
    given: Any = getattr(settings, "TASKS_API", {})
    if not isinstance(given, dict):
        raise ImproperlyConfigured("TASKS_API must be a dict.")
    return TasksApiSettings.checked(given, within="TASKS_API")


_resets: list[Callable[[], object]] = []


def reset_when_settings_change[Reset: Callable[[], object]](reset: Reset) -> Reset:
    """
    Have a function called whenever a setting changes, as `override_settings` does in tests.

    For whatever was computed from settings and is kept: `reset` lets go of it. It is called for
    every setting, since what depends on a few today may depend on another tomorrow.
    """
    _resets.append(reset)
    return reset


def _reset_all(**_: Any) -> None:
    for reset in _resets:
        reset()


setting_changed.connect(_reset_all)
reset_when_settings_change(tasks_api_settings.cache_clear)
