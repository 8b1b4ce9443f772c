"""The format of server-sent events (HTML, section 9.2)."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

MEDIA_TYPE = "text/event-stream"
COMMENT = b": \n\n"
"""What clients ignore; sent now and then, so that proxies do not close the connection."""


def event(name: str, data: bytes = b"", *, identifier: str | None = None) -> bytes:
    """Format an event with one line of data, which a browser dispatches only if there is any."""
    fields = f"event: {name}\n" if identifier is None else f"event: {name}\nid: {identifier}\n"
    return b"%bdata: %b\n\n" % (fields.encode(), data)


class OpenResponse(StreamingHttpResponse):
    """The beginning of a stream, whose rest the server asks for later; no middleware measures it."""

    def __init__(self, first: bytes = b"", **kwargs: Any) -> None:
        super().__init__([first] if first else [], **kwargs)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Django would warn that it has to collect the parts, of which there is one.
        for part in self:
            yield part
