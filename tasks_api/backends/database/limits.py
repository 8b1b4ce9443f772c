"""
What a call says of a task's attempts, as the third member of the row's `args_kwargs`.

`{"args": …, "kwargs": …, "call": {"expires_at": "2026-11-22T09:00:00.123456Z", "max_attempts": 3,
"timeout_seconds": 1.5}}`: only what was said, and no `call` where nothing was. All of these texts of times
have the same length, so that they sort as the times do.
"""

from dataclasses import replace
from typing import Any

from tasks_api.backends.base import NO_LIMITS, Limits
from tasks_api.policies import Policy, policy_of
from tasks_api.policy_options import MAX_SECONDS
from tasks_api.timestamps import parse_timestamp, timestamp

MEMBER = "call"


def with_limits(args_kwargs: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return a row's `args_kwargs` with what the call says; the same where it says nothing."""
    if limits == NO_LIMITS:
        return args_kwargs
    said = {
        "expires_at": limits.expires_at and timestamp(limits.expires_at),
        "max_attempts": limits.max_attempts,
        "timeout_seconds": limits.timeout_seconds,
    }
    return args_kwargs | {
        MEMBER: {name: value for name, value in said.items() if value is not None}
    }


def limits_in(args_kwargs: Any) -> Limits:
    """Read what a row's call says; a value that this app would not have written counts as not said."""
    said = args_kwargs.get(MEMBER) if isinstance(args_kwargs, dict) else None
    if not isinstance(said, dict):
        return NO_LIMITS
    expires_at, most, seconds = map(said.get, ("expires_at", "max_attempts", "timeout_seconds"))
    return Limits(
        expires_at=parse_timestamp(expires_at) if isinstance(expires_at, str) else None,
        max_attempts=most if type(most) is int and most > 0 else None,
        timeout_seconds=_seconds(seconds),
    )


def policy_for(task_path: str, limits: Limits) -> Policy:
    """Return what applies to a task: its policy, and what its call has said beyond that."""
    policy = policy_of(task_path)
    if limits.max_attempts is None and limits.timeout_seconds is None:
        return policy
    seconds = [one for one in (policy.timeout_seconds, limits.timeout_seconds) if one is not None]
    return replace(
        policy,
        max_attempts=min(policy.max_attempts, limits.max_attempts or policy.max_attempts),
        timeout_seconds=min(seconds, default=None),
    )


def _seconds(value: Any) -> float | None:
    if type(value) not in {int, float}:
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if 0 < seconds <= MAX_SECONDS else None
