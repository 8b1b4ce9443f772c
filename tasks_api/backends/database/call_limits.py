"""What a call says of its task's attempts, as the row has it: a third member of `args_kwargs`."""

from typing import Any

from tasks_api.backends.base import NO_LIMITS, Limits
from tasks_api.timestamps import parse_timestamp, timestamp

MEMBER = "call"


def limits_of(args_kwargs: Any) -> Limits:
    """Read the limits; what the project's own code may have written there otherwise says nothing."""
    call = args_kwargs.get(MEMBER)
    if not isinstance(call, dict):
        return NO_LIMITS
    expires_at = call.get("expires_at")
    return Limits(
        expires_at=parse_timestamp(expires_at) if isinstance(expires_at, str) else None,
        max_attempts=_number(call.get("max_attempts")),
        timeout_seconds=_number(call.get("timeout_seconds")),
    )


def limits_to_store(limits: Limits) -> dict[str, Any]:
    """Return the member, or nothing where the call says nothing."""
    if limits is NO_LIMITS:
        return {}
    call = {
        "expires_at": limits.expires_at and timestamp(limits.expires_at),
        "max_attempts": limits.max_attempts,
        "timeout_seconds": limits.timeout_seconds,
    }
    said = {name: value for name, value in call.items() if value is not None}
    return {MEMBER: said} if said else {}


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
