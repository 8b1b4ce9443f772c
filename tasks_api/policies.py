"""
How often a task is tried, how long an attempt may take, and how a task is told to stop.

A policy is said at the function, below `@task`, so that the same code runs on every backend:

    @task
    @policy(max_attempts=5, timeout_seconds=30)
    def charge(order: int) -> None: ...

`TASKS_API["POLICIES"]` says it by pattern, and overrides, key by key, what the function says.
"""

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.tasks import Task

from tasks_api.conf import reset_when_settings_change, tasks_api_settings
from tasks_api.exceptions import (
    ResultNotStorable,
    ResultTooLarge,
    TaskCancelled,
    TaskExpired,
    TaskTimedOut,
    TransactionLeftOpen,
    WorkerLost,
)
from tasks_api.policy_options import BackoffOptions, options_from

STOP_GRACE_SECONDS = 10.0
ONLY_WHERE_NAMED = frozenset(
    kind.class_path()
    for kind in (WorkerLost, TaskTimedOut, ResultNotStorable, ResultTooLarge, TransactionLeftOpen)
)
"""What no task raises by itself: the attempt may have done its work, or would end so again."""
NEVER = frozenset({TaskCancelled.class_path(), TaskExpired.class_path()})
ANYTHING = "builtins.BaseException"

_said_at_functions: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    What applies to a task type.

    Attributes:
        retry_on: the paths of exceptions after which there is another attempt; None: whatever the task
            raises.
        timeout_seconds: how long an attempt may take; None: as long as it takes.
        stop_grace_seconds: how long the task may take to end once it was told to stop.

    """

    max_attempts: int = 1
    backoff: BackoffOptions = field(default_factory=BackoffOptions)
    retry_on: tuple[str, ...] | None = None
    timeout_seconds: float | None = None
    stop_grace_seconds: float = STOP_GRACE_SECONDS

    def retries(self, kinds: Collection[str]) -> bool:
        """
        Tell whether there may be another attempt after an exception.

        `kinds` are the paths of its class and of those that it derives from, the class first.
        """
        path = next(iter(kinds))
        if path in NEVER:
            return False
        if path in ONLY_WHERE_NAMED:
            return self.retry_on is not None and path in self.retry_on
        return self.retry_on is None or not set(self.retry_on).isdisjoint(kinds)

    def pause_after(self, attempt: int) -> float:
        """Return how many seconds after this attempt, the first being 1, the next one is due."""
        backoff = self.backoff
        # A large power would be no float.
        exponent = min(attempt - 1, 64)
        pause = min(backoff.initial * backoff.factor**exponent, backoff.max)
        # Of the longest pauses, too, no two are alike.
        longest = min(pause * (1 + backoff.jitter), backoff.max)
        return random.uniform(pause * (1 - backoff.jitter), longest)  # noqa: S311


def policy[Function: Callable[..., Any]](**options: Any) -> Callable[[Function], Function]:
    """
    Say the policy of a task, below `@task`: the keys of `policy_options.PolicyOptions`.

    Raises:
        ImproperlyConfigured: an option is unknown or has a wrong value.

    """
    try:
        said = options_from(options).said
    except ValueError as error:
        raise ImproperlyConfigured(f"@policy: {error}") from None

    def say(function: Function) -> Function:
        if isinstance(function, Task):
            raise ImproperlyConfigured(
                f"@policy belongs below @task: {function.module_path} is a task already."
            )
        _said_at_functions[f"{function.__module__}.{function.__qualname__}"] = said
        policy_of.cache_clear()
        return function

    return say


@cache
def policy_of(task_path: str) -> Policy:
    """Return the policy of a task type; nothing is imported."""
    chosen = {name: value for name, value in said_of(task_path).items() if value is not None}
    if "backoff" in chosen:
        chosen["backoff"] = BackoffOptions(**chosen["backoff"])
    return Policy(**chosen)


reset_when_settings_change(policy_of.cache_clear)


def said_of(task_path: str) -> dict[str, Any]:
    """Return the options that are said of a task type, at its function and in settings; None: taken back."""
    settings = tasks_api_settings()
    said: dict[str, Any] = {}
    _override(said, _said_at_functions.get(task_path, {}))
    for pattern, options in settings.policies.items():
        if fnmatchcase(task_path, pattern):
            _override(said, options.said)
    if any(fnmatchcase(task_path, pattern) for pattern in settings.requeue_when_lost):
        _requeue_when_lost(said)
    return said


def policies_said_at_functions() -> Mapping[str, Mapping[str, Any]]:
    """Return what functions say, by the paths of their tasks."""
    return _said_at_functions


def _override(said: dict[str, Any], options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        is_partial = name == "backoff" and value is not None
        said[name] = {**(said.get(name) or {}), **value} if is_partial else value


def _requeue_when_lost(said: dict[str, Any]) -> None:
    """Allow a lost task a second attempt, at once, or those that there are anyway."""
    lost = WorkerLost.class_path()
    if said.get("max_attempts") is None:
        said["max_attempts"] = 2
        said["retry_on"] = (lost,)
        said.setdefault("backoff", {"initial": 0})
        return
    # An empty list is no None: nothing else is retried.
    retry_on = (ANYTHING,) if said.get("retry_on") is None else said["retry_on"]
    if lost not in retry_on:
        said["retry_on"] = (*retry_on, lost)
