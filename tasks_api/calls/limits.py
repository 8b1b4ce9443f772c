"""What a call says of when its task may run, how often it is tried, and how long an attempt may take."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks_api.arguments.whole_numbers import as_integer
from tasks_api.backends import NO_LIMITS, Limits
from tasks_api.faults import Fault
from tasks_api.policies import Policy
from tasks_api.policy_options import MAX_SECONDS
from tasks_api.timestamps import parse_timestamp

MEMBERS = (
    *("run_after", "delay_seconds", "expires_at", "expires_in_seconds"),
    *("max_attempts", "timeout_seconds"),
)

MAX_DELAY_SECONDS = 10 * 365 * 86_400
NO_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Stores have this time, and none after it, for no time at all."""

_TIME = "Should be an RFC 3339 date-time with an offset, such as 2026-11-22T09:00:00Z."
_EITHER_OR = (("run_after", "delay_seconds"), ("expires_at", "expires_in_seconds"))


@dataclass(frozen=True, slots=True)
class Said:
    """What the members say; a time is one and the same, whether it was said as such or in seconds from now."""

    run_after: datetime | None
    limits: Limits

    @classmethod
    def of(cls, body: dict[str, Any], now: datetime) -> "Said":
        """Take the members of a body that has no faults of form; a time to run in the past means now."""
        run_after = _moment(body, "run_after", "delay_seconds", now)
        if body.keys().isdisjoint(MEMBERS[2:]):
            return cls(run_after, NO_LIMITS)
        seconds = body.get("timeout_seconds")
        expires_at = _moment(body, "expires_at", "expires_in_seconds", now)
        if expires_at == now and "expires_in_seconds" in body:
            # Less than a microsecond is more than nothing.
            expires_at += timedelta.resolution
        limits = Limits(
            expires_at=expires_at,
            max_attempts=as_integer(body.get("max_attempts")),
            timeout_seconds=None if seconds is None else float(seconds),
        )
        return cls(run_after, limits)

    def faults(self, body: dict[str, Any], now: datetime, policy: Policy) -> Iterator[Fault]:
        """Yield the faults of members that do not go with each other, or with the policy of the task."""
        limits = self.limits
        if limits.expires_at is not None:
            earliest = max(now, self.run_after or now)
            if limits.expires_at <= earliest:
                is_late = earliest > now
                detail = f"Should be after the {'time at which the task may run' if is_late else 'present time'}."
                yield as_sent(Fault("expires_too_early", detail, pointer="/expires_at"), body)
        most, longest = policy.max_attempts, policy.timeout_seconds
        if limits.max_attempts is not None and limits.max_attempts > most:
            detail = f"Should be at most {most}, as the task's policy says."
            yield Fault("above_policy", detail, pointer="/max_attempts")
        if longest is not None and (limits.timeout_seconds or 0) > longest:
            detail = f"Should be at most {_exactly(longest)}, as the task's policy says."
            yield Fault("above_policy", detail, pointer="/timeout_seconds")


def as_sent(fault: Fault, body: dict[str, Any]) -> Fault:
    """Return a fault of a time with a pointer to the member that was sent."""
    for moment, seconds in _EITHER_OR:
        if fault.pointer == f"/{moment}" and seconds in body:
            return Fault(fault.code, fault.detail, pointer=f"/{seconds}")
    return fault


def faults_of_form(body: dict[str, Any], now: datetime) -> Iterator[Fault]:
    """Yield the faults that each of the members has, whatever the task."""
    for first, second in _EITHER_OR:
        if first in body and second in body:
            detail = f"Should not be given together with `{first}`."
            yield Fault("either_or", detail, pointer=f"/{second}")
    for name in ("run_after", "expires_at"):
        if name in body and _time(body[name]) is None:
            yield Fault("date_time", _TIME, pointer=f"/{name}")
    if "expires_at" in body and (_time(body["expires_at"]) or now) >= NO_TIME:
        yield Fault("out_of_range", "Should be before the year 9999.", pointer="/expires_at")
    yield from _faults_of_numbers(body)


def _faults_of_numbers(body: dict[str, Any]) -> Iterator[Fault]:
    if "delay_seconds" in body:
        detail = f"Should be a number from 0 to {MAX_DELAY_SECONDS:,}: ten years."
        yield from _faults_of_number(
            body, "delay_seconds", detail, lambda value: 0 <= value <= MAX_DELAY_SECONDS
        )
    if "expires_in_seconds" in body:
        detail = f"Should be a number above 0 and at most {MAX_DELAY_SECONDS:,}: ten years."
        yield from _faults_of_number(
            body, "expires_in_seconds", detail, lambda value: 0 < value <= MAX_DELAY_SECONDS
        )
    if "timeout_seconds" in body:
        detail = f"Should be a number above 0 and at most {MAX_SECONDS:,}."
        yield from _faults_of_number(
            body, "timeout_seconds", detail, lambda value: 0 < value <= MAX_SECONDS
        )
    if "max_attempts" in body:
        attempts = as_integer(body["max_attempts"])
        if attempts is None or attempts < 1:
            code = "integer_type" if attempts is None else "out_of_range"
            yield Fault(code, "Should be a whole number, at least 1.", pointer="/max_attempts")


def _faults_of_number(
    body: dict[str, Any], name: str, detail: str, is_right: Callable[[float], bool]
) -> Iterator[Fault]:
    value = body[name]
    # A boolean is an `int` to Python.
    if type(value) not in {int, float}:
        yield Fault("number_type", detail, pointer=f"/{name}")
    elif not is_right(value):
        yield Fault("out_of_range", detail, pointer=f"/{name}")


def _moment(body: dict[str, Any], name: str, seconds: str, now: datetime) -> datetime | None:
    if seconds in body:
        return now + timedelta(seconds=body[seconds])
    return _time(body[name]) if name in body else None


def _exactly(seconds: float) -> str:
    """Write a number so that it may be sent as it is written."""
    return repr(float(seconds)).removesuffix(".0")


def _time(value: Any) -> datetime | None:
    return parse_timestamp(value) if isinstance(value, str) else None
