"""The format of server-sent events (HTML, section 9.2)."""

from django.http import HttpResponse

MEDIA_TYPE = "text/event-stream"
COMMENT = b": \n\n"
"""What clients ignore; sent now and then, so that proxies do not close the connection."""


def event(name: str, data: bytes = b"", *, identifier: str | None = None) -> bytes:
    """Format an event with one line of data, which a browser dispatches only if there is any."""
    fields = f"event: {name}\n" if identifier is None else f"event: {name}\nid: {identifier}\n"
    return b"%bdata: %b\n\n" % (fields.encode(), data)


class OpenResponse(HttpResponse):
    """The beginning of a stream, whose rest the server asks for later."""
