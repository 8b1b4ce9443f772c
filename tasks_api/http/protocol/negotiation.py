"""Content negotiation (RFC 9110, section 12): JSON in and out, unless `Accept` excludes it."""

import re

from django.http import HttpRequest

from tasks_api.problems import NotAcceptable

_JSON, _ANYTHING = "application/json", "*/*"
_COMMON = {_JSON, _ANYTHING}
"""What most clients send."""

# RFC 9110, section 12.4.2.
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


def check_accept(request: HttpRequest) -> None:
    """
    Check that `Accept` does not exclude JSON.

    Raises:
        NotAcceptable: 406, it does.

    """
    accept = request.META.get("HTTP_ACCEPT", _ANYTHING)
    if accept not in _COMMON and not _admits_json(accept):
        raise NotAcceptable


def prefers_html(accept: str) -> bool:
    """Return whether `Accept` names `text/html`, and JSON not or less: what browsers send."""
    qualities = _qualities(accept)
    return qualities.get("text/html", 0.0) > qualities.get(_JSON, 0.0)


def _admits_json(accept: str) -> bool:
    """Judge by the most specific range that matches; ignore parameters such as a charset."""
    qualities = _qualities(accept)
    for name in (_JSON, "application/*", _ANYTHING):
        if name in qualities:
            return qualities[name] > 0
    return not qualities


def _qualities(accept: str) -> dict[str, float]:
    """Return the quality of each range in `Accept`; what is no range is skipped, an odd quality is 1."""
    qualities: dict[str, float] = {}
    for text in accept.split(","):
        media_range, *parameters = (part.strip() for part in text.split(";"))
        if "/" in media_range:
            given = [found[1] for each in parameters if (found := _QUALITY.fullmatch(each))]
            name = media_range.lower()
            quality = float(given[0]) if given else 1.0
            qualities[name] = max(qualities.get(name, 0.0), quality)
    return qualities
