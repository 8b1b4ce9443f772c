"""The setting `TASKS_API`: its keys, and their current values."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from pydantic import AfterValidator, BeforeValidator, Field

from tasks_api.declared_settings import DeclaredSettings, Strings
from tasks_api.policy_options import PolicyOptions, options_from

MAX_BYTES = 100_000_000
MAX_RETENTION_DAYS = 36_500


def _http_url(text: str) -> str:
    url = urlsplit(text)
    if text and not (url.netloc and text.startswith(("http://", "https://"))):
        raise ValueError
    return text


def _policies(given: Any) -> dict[str, PolicyOptions]:
    if not isinstance(given, dict):
        raise ValueError
    return {pattern: _policy(pattern, options) for pattern, options in given.items()}


def _policy(pattern: Any, options: Any) -> PolicyOptions:
    if isinstance(options, PolicyOptions):
        # The service has checked its variable.
        return options
    if not isinstance(pattern, str):
        raise ValueError(f"{pattern!r}: should be a pattern")
    if not isinstance(options, dict):
        raise ValueError(f"{pattern}: should be a dict")
    try:
        return options_from(options)
    except ValueError as error:
        raise ValueError(f"{pattern}: {error}") from None


class TasksApiSettings(DeclaredSettings):
    """The keys of `TASKS_API`; the service has environment variables for most of them."""

    tasks: Strings = Field(
        (), description="fnmatch patterns of the exposed task types, such as `shop.tasks.*`"
    )
    public_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description=(
            "the base of URLs in answers, including the prefix if a proxy strips one; without it, "
            "the request's scheme and host"
        ),
        json_schema_extra={"expected": "a URL, such as https://tasks.example.org"},
    )
    public_catalogue: bool = Field(
        False, description="whether `/openapi.yaml` shows the exposed task types without a key"
    )
    authentication_classes: Strings = Field(
        ("tasks_api.http.access.authentication.KeyAuthentication",),
        description="dotted paths of authentication classes of Django REST framework",
    )
    client_of: str = Field(
        "",
        description=(
            "dotted path of a function that maps a request without a key, authenticated by another "
            "class, to a `Client` or None"
        ),
    )
    remember_keys_seconds: int = Field(
        5,
        ge=0,
        le=3600,
        description=(
            "how many seconds a process caches a checked key, and so how long a revocation can "
            "take; 0: no cache"
        ),
    )
    rate_cache: str = Field(
        "",
        description=(
            "alias in `CACHES` of a cache that all web processes share and that increments atomically, "
            "such as Redis or Memcached, for the counters of rate limits; without it, they are in the "
            "database"
        ),
    )
    max_body_bytes: int = Field(
        1024 * 1024, ge=1024, le=MAX_BYTES, description="the maximum size of a request body"
    )
    max_depth: int = Field(
        32, ge=2, le=200, description="the maximum depth of arrays and objects in a body"
    )
    max_waiting: int = Field(
        1,
        ge=0,
        le=100_000,
        description=(
            "how many requests of a process wait at once for a task to change, with `Prefer: wait` or as a "
            "stream of events, of which the latter take half at most; a request that waits occupies a "
            "thread, unless the server can hold it"
        ),
    )
    max_wait_seconds: int = Field(
        30, ge=1, le=3600, description="the longest time that `Prefer: wait` can ask for"
    )
    max_stream_seconds: int = Field(
        3600, ge=10, le=86_400, description="how long a stream of events lasts at most"
    )
    tracebacks: Literal["owner", "admin", "none"] = Field(
        "owner",
        description=(
            "who can read the traceback of a failed task: its owner and admins, only admins, nobody"
        ),
    )
    max_result_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=MAX_BYTES,
        description="the maximum size of a return value, as JSON; with a larger one the task fails",
    )
    lost_after_seconds: int = Field(
        30,
        ge=1,
        le=86_400,
        description="after how many seconds without a heartbeat a worker is considered lost",
    )
    requeue_when_lost: Strings = Field(
        (),
        description=(
            "fnmatch patterns of the task types that are safe to run twice: such a task that is "
            "lost with its worker is requeued once; where its policy has `max_attempts`, as often as that allows"
        ),
    )
    policies: Annotated[dict[str, PolicyOptions], BeforeValidator(_policies)] = Field(
        {},
        description=(
            "what applies to attempts of tasks, by fnmatch patterns of task types: a dict of "
            "`max_attempts`, `backoff`, `retry_on`, `timeout_seconds` and `stop_grace_seconds`, which "
            "overrides what `@policy` says at the function; of several patterns that match, the last one counts"
        ),
        json_schema_extra={
            "expected": (
                'an object such as `{"shop.tasks.*": {"max_attempts": 5, "timeout_seconds": 30}}`'
            )
        },
    )
    retention_days: int = Field(
        0,
        ge=0,
        le=MAX_RETENTION_DAYS,
        description=(
            "after how many days workers and `prune` remove a finished task of any owner; 0: never"
        ),
    )
    retention_days_failed: int | None = Field(
        None,
        ge=0,
        le=MAX_RETENTION_DAYS,
        description="the same for failed tasks; without it, `RETENTION_DAYS`",
    )


@cache
def tasks_api_settings() -> TasksApiSettings:
    """
    Return the current settings.

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
    Call a function whenever a setting changes, for example by `override_settings` in tests.

    `reset` discards values that were computed from settings. It is called for every setting, so that
    it need not list the settings that it depends on.
    """
    _resets.append(reset)
    return reset


def _reset_all(**_: Any) -> None:
    for reset in _resets:
        reset()


setting_changed.connect(_reset_all)
reset_when_settings_change(tasks_api_settings.cache_clear)
