"""Answers that are built while they are sent, a piece at a time: they may be as long as they like."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import StreamingHttpResponse

from tasks_api.json_text import json_text


def streamed(results: Iterable[Mapping[str, Any]], *, status: int) -> StreamingHttpResponse:
    """Answer with `{"results": […]}`, however many there are and however large they are together."""
    return StreamingHttpResponse(_pieces(results), status=status, content_type="application/json")


def _pieces(results: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    separator = '{"results":['
    for result in results:
        # Escapes for what is not ASCII: they can spell whatever the project's own code stored.
        yield f"{separator}{json_text(result)}".encode()
        separator = ","
    yield b"]}" if separator == "," else b'{"results":[]}'
