"""Content negotiation (RFC 9110, section 12): JSON in and out, unless `Accept` excludes it."""

import re
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from tasks_api.json_text import json_bytes
from tasks_api.problems import NotAcceptable

# RFC 9110, section 12.4.2.
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


class JSONRenderer(BaseRenderer):
    """Writes compact JSON in UTF-8."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> bytes:
        return b"" if data is None else json_bytes(data)


class LeaveBody(BaseParser):
    """
    Parses nothing: `strict_json` reads bodies, after authentication.

    DRF calls a parser when it looks for a session's CSRF token; that must be in its header.
    """

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return {}


class AcceptJSON(BaseContentNegotiation):
    """Accepts every `Accept` that does not exclude JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        if not self._admits_json(request.headers.get("Accept", "*/*")):
            raise NotAcceptable
        return renderers[0], JSONRenderer.media_type

    @staticmethod
    def _admits_json(accept: str) -> bool:
        """Judge by the most specific range that matches; ignore parameters such as a charset."""
        qualities = _qualities(accept)
        for name in ("application/json", "application/*", "*/*"):
            if name in qualities:
                return qualities[name] > 0
        return not qualities


def prefers_html(accept: str) -> bool:
    """Return whether `Accept` names `text/html`, and JSON not or less: what browsers send."""
    qualities = _qualities(accept)
    return qualities.get("text/html", 0.0) > qualities.get("application/json", 0.0)


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


class AcceptAnything(AcceptJSON):
    """Answers with the only representation, whatever `Accept` says (RFC 9110, 12.4.1)."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
