"""Requests that are refused before Django sees them, with problems like its own (RFC 9457)."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors

from tasks_api.json_text import json_bytes
from tasks_api.logs import current_request_id
from tasks_api.problems import BodyTooLarge, InternalError, InvalidRequest, Problem

logger = logging.getLogger("gunicorn.error")


class Refused(Exception):
    """A request that cannot be served; the detail repeats nothing of it."""

    def __init__(self, detail: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


class BrokenBody(OSError):
    """A body that cannot be read to its end, as the application is told."""


# gunicorn's own texts repeat what was sent, such as a key in a line without a colon. Its two parsers, and the
# one for ASGI, have classes of the same names.
_REASONS: dict[str, tuple[int, str]] = {
    "LimitRequestLine": (HTTPStatus.URI_TOO_LONG, "The request line is too long."),
    "LimitRequestHeaders": (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers are too many or too long.",
    ),
    "ExpectationFailed": (
        HTTPStatus.EXPECTATION_FAILED,
        "The only expectation that can be met is 100-continue.",
    ),
    "InvalidSchemeHeaders": (
        HTTPStatus.BAD_REQUEST,
        "The headers that name the scheme contradict each other.",
    ),
}
_MALFORMED = "The request's head is not valid HTTP/1.1 (RFC 9112)."


def refusal_of(error: Exception) -> Refused | None:
    """Return what to answer when a request could not be parsed; None for any other error."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, errors.ConfigurationProblem):
        return None
    return refusal_of_parser(error) if isinstance(error, errors.ParseException) else None


def refusal_of_parser(error: Exception) -> Refused:
    """Return what to answer to an error of one of gunicorn's parsers."""
    status, detail = _REASONS.get(type(error).__name__, (HTTPStatus.BAD_REQUEST, _MALFORMED))
    return Refused(detail, status)


def malformed() -> Refused:
    return Refused(_MALFORMED)


def internal_error() -> Refused:
    return Refused(InternalError.explanation(), InternalError.status)


def send(refused: Refused, connection: Any, address: Any) -> None:
    """Log it and send as much of the answer as can be sent without waiting."""
    with identified():
        log(refused, address)
        connection.send_now(answer(refused))


def send_internal_error(request: Any, connection: Any, error: Exception) -> None:
    """Log the traceback and answer 500; the query of the request may contain what must not be logged."""
    with identified():
        method, path = getattr(request, "method", "-"), getattr(request, "path", "-")
        logger.error("%s %s failed", method, path, exc_info=error)
        connection.send_now(answer(internal_error()))


def answer(refused: Refused) -> bytes:
    """Return the whole answer, after which the connection is closed."""
    problem = _problem(refused.status)
    identifier = current_request_id.get()
    body = json_bytes(
        {
            "type": f"/problems/#{problem.code}",
            "title": problem.title,
            "status": refused.status,
            "code": problem.code,
            "detail": refused.detail,
            "request_id": identifier,
        }
    )
    head = (
        f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-ID: {identifier}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def identified() -> Iterator[None]:
    """Give a request that Django has not seen an id of its own, in the log and in its answer."""
    if current_request_id.get() != "-":
        yield
        return
    token = current_request_id.set(secrets.token_hex(16))
    try:
        yield
    finally:
        current_request_id.reset(token)


def log(refused: Refused, address: Any) -> None:
    """Log who was refused and why; the address is a tuple, or empty for a local socket."""
    client = address[0] if isinstance(address, tuple) else "a local socket"
    logger.warning("Refused a request from %s: %s", client, refused.detail)


def _problem(status: int) -> type[Problem]:
    if status == BodyTooLarge.status:
        return BodyTooLarge
    return InternalError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else InvalidRequest
