"""Timestamps: RFC 3339 in the API, aware in the code, as the project configures them in the store."""

import re
from datetime import UTC, datetime
from typing import overload

from django.conf import settings
from django.utils import timezone

# RFC 3339, section 5.6; `datetime` checks the day of the month and the leap second.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_timestamp(text: str) -> datetime | None:
    """Read an RFC 3339 date-time with an offset, and convert it to UTC; None for anything else."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        # No such day, or a time outside the years 1 to 9999 in UTC.
        return None


def timestamp(time: datetime) -> str:
    """Format an aware time as RFC 3339 in UTC: `2026-11-22T09:00:00.123456Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


@overload
def aware(time: datetime) -> datetime: ...
@overload
def aware(time: None) -> None: ...
def aware(time: datetime | None) -> datetime | None:
    """Convert a time from a store to an aware one; without `USE_TZ`, stores have local time."""
    if time is None or timezone.is_aware(time):
        return time
    return timezone.make_aware(time)


def as_stored(time: datetime) -> datetime:
    """Convert an aware time for the project's store; the inverse of `aware()`."""
    if settings.USE_TZ:
        return time
    try:
        return timezone.make_naive(time)
    except OverflowError:
        # Local time would be outside the years 1 to 9999; no task has such a time.
        return time.replace(tzinfo=None)
