"""Answers of any size that are built while they are sent, piece by piece."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from django.http import HttpRequest, StreamingHttpResponse

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.http.protocol.problem_json import reported


def streamed(
    results: Iterable[bytes],
    request: HttpRequest,
    *,
    status: int,
    headers: Mapping[str, str],
) -> StreamingHttpResponse:
    """
    Answer with `{"results": […]}`, whatever the number and size of the results, given as JSON.

    An exception while the first result is read is raised here, and is answered with a problem. A later
    one cuts the body off, so that clients notice that it is incomplete.
    """
    remaining = _bounded(results)
    first = next(remaining, None)
    every = [] if first is None else chain([first], remaining)
    pieces = _pieces(every, request)
    return StreamingHttpResponse(
        pieces, status=status, content_type="application/json", headers=dict(headers)
    )


def _pieces(results: Iterable[bytes], request: HttpRequest) -> Iterator[bytes]:
    separator = b""
    yield b'{"results":['
    try:
        for result in results:
            yield separator + result
            separator = b","
    except Exception as error:
        reported(error, request)
        raise
    yield b"]}"


def _bounded(results: Iterable[bytes]) -> Iterator[bytes]:
    """Bound the wait for each result: the view has returned when the later ones are read."""
    remaining = iter(results)
    while True:
        # Not across a `yield`: the next piece may be read in another context.
        with database_answers_within():
            result = next(remaining, None)
        if result is None:
            return
        yield result
