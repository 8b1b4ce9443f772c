"""Answers of any size that are built while they are sent, piece by piece."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from tasks_api.http.protocol.problem_json import reported
from tasks_api.json_text import json_bytes


def streamed(
    results: Iterable[Mapping[str, Any]],
    request: Request,
    *,
    status: int,
    headers: Mapping[str, str],
) -> StreamingHttpResponse:
    """
    Answer with `{"results": […]}`, whatever the number and size of the results.

    An exception while the first result is read is raised here, and is answered with a problem. A later
    one cuts the body off, so that clients notice that it is incomplete.
    """
    remaining = iter(results)
    first = next(remaining, None)
    every = [] if first is None else chain([first], remaining)
    pieces = _pieces(every, request)
    return StreamingHttpResponse(
        pieces, status=status, content_type="application/json", headers=dict(headers)
    )


def _pieces(results: Iterable[Mapping[str, Any]], request: Request) -> Iterator[bytes]:
    separator = b""
    yield b'{"results":['
    try:
        for result in results:
            yield separator + json_bytes(result)
            separator = b","
    except Exception as error:
        reported(error, request._request)
        raise
    yield b"]}"
