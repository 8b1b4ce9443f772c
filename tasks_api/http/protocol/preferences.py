"""The header `Prefer` (RFC 7240), of which only `wait` is known here."""

import re

from django.http import HttpRequest

from tasks_api.conf import tasks_api_settings

HEADER = "Prefer"
APPLIED = "Preference-Applied"

# Between commas that are not within a quoted string.
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_WAIT = re.compile(r'[ \t]*wait[ \t]*=[ \t]*(?:([0-9]+)|"([0-9]+)")[ \t]*(?:;.*)?', re.I | re.S)
_NAME = re.compile(r"[ \t]*wait[ \t]*(?:[=;]|$)", re.I)
_MAX_DIGITS = 9


def wait_seconds(request: HttpRequest) -> int | None:
    """
    Return how long a client wants to wait for the end of a task, at most `MAX_WAIT_SECONDS`.

    None if it does not. A malformed preference is ignored, and of several only the first counts.
    """
    header = request.META.get("HTTP_PREFER")
    if not header:
        return None
    first = next(filter(_NAME.match, _PREFERENCE.findall(header)), "")
    wait = _WAIT.fullmatch(first)
    if wait is None:
        return None
    longest = tasks_api_settings().max_wait_seconds
    digits = (wait[1] or wait[2]).lstrip("0")
    return longest if len(digits) > _MAX_DIGITS else min(int(digits or "0"), longest)
