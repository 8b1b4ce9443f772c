"""Moments in time: spelled as RFC 3339 to the outside, aware inside, as the project's in its store."""

import re
from datetime import UTC, datetime
from typing import overload

from django.conf import settings
from django.utils import timezone

# RFC 3339, section 5.6; the day of the month and the leap second are left to `datetime`.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def moment_of(text: str) -> datetime | None:
    """Read an RFC 3339 date-time with an offset, into UTC; None for anything else."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        # No such day, or a moment outside of the years 1 to 9999 in UTC.
        return None


def timestamp(moment: datetime) -> str:
    """Spell an aware moment as RFC 3339 in UTC: `2026-11-22T09:00:00.123456Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


@overload
def aware(moment: datetime) -> datetime: ...
@overload
def aware(moment: None) -> None: ...
def aware(moment: datetime | None) -> datetime | None:
    """Return a moment of a store as an aware one: a project with `USE_TZ` off keeps local time."""
    if moment is None or timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment)


def as_stored(moment: datetime) -> datetime:
    """Return an aware moment as the project's store takes it: the inverse of `aware()`."""
    if settings.USE_TZ:
        return moment
    try:
        return timezone.make_naive(moment)
    except OverflowError:
        # Local time would lie outside of the years 1 to 9999; no task is that close to their ends.
        return moment.replace(tzinfo=None)
