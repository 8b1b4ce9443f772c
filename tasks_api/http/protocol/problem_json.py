"""From an exception to the format of all errors: `application/problem+json` (RFC 9457)."""

import logging
import math
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, NotRequired, TypedDict

from django.core import exceptions as django
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from pydantic import Field
from rest_framework import exceptions as drf

from tasks_api.backends.database.connections import renew_connections
from tasks_api.backends.database.failures import DATABASE_ERRORS, is_unavailable
from tasks_api.faults import Fault, shortened
from tasks_api.http.protocol import request_id
from tasks_api.json_text import json_bytes
from tasks_api.problems import (
    InternalError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Problem,
    StoreUnavailable,
    Throttled,
)

logger = logging.getLogger("tasks_api.http")

RETRY_AFTER_SECONDS = "5"
MAX_PROBLEM_BYTES = 64 * 1024
"""The maximum size of a problem's JSON; faults beyond it are left out."""

_MAX_DETAIL_LENGTH = 1000
"""The maximum length of a fault's detail: hints can have any number of values and any pattern."""


class FaultRepresentation(TypedDict):
    """One fault of a request."""

    code: Annotated[str, Field(examples=["integer_type"])]
    detail: str
    pointer: NotRequired[
        Annotated[str, Field(description="A JSON pointer (RFC 6901) into the body.")]
    ]
    parameter: NotRequired[Annotated[str, Field(description="The name of a query parameter.")]]
    header: NotRequired[Annotated[str, Field(description="The name of a header.")]]


class ProblemRepresentation(TypedDict):
    """Why a request failed, as defined by RFC 9457."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: int
    code: Annotated[str, Field(description="The code for programs.", examples=["unknown_task"])]
    detail: str
    request_id: str
    errors: NotRequired[list[FaultRepresentation]]


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """Render a problem."""
    body: ProblemRepresentation = {
        "type": f"{reverse('tasks_api:problems')}#{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request_id.identify(request),
    }
    if problem.faults:
        body["errors"] = []
        room = MAX_PROBLEM_BYTES - len(json_bytes(body))
        body["errors"] = list(_fitting(problem.faults, room))
    response = HttpResponse(
        json_bytes(body),
        status=problem.status,
        content_type="application/problem+json",
        headers=problem.headers,
    )
    if problem.status >= 500 and not isinstance(problem, InternalError | StoreUnavailable):
        # Nothing has failed, such as when there is no place for a stream, but Django would log an error.
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def reported(exception: Exception, request: HttpRequest) -> Problem:
    """Return the problem for an exception; server errors are logged."""
    problem = _problem_of(exception)
    if problem.status >= 500:
        _report(exception, problem, request)
    return problem


def _problem_of(exception: Exception) -> Problem:
    if isinstance(exception, DATABASE_ERRORS) and is_unavailable(exception):
        renew_connections(exception)
        exception = StoreUnavailable()
    if isinstance(exception, StoreUnavailable):
        exception.headers.setdefault("Retry-After", RETRY_AFTER_SECONDS)
    if isinstance(exception, Problem):
        return exception
    if isinstance(exception, drf.APIException) and exception.status_code < 500:
        return _problem_of_rest_framework(exception)
    kinds: list[tuple[type[Exception], type[Problem]]] = [
        (Http404, NotFound),
        (django.PermissionDenied, PermissionDenied),
        # What Django itself rejects: too many query parameters, a Host that is not allowed.
        (django.SuspiciousOperation, InvalidRequest),
    ]
    for kind, problem in kinds:
        if isinstance(exception, kind):
            return problem()
    return InternalError()


def _problem_of_rest_framework(exception: drf.APIException) -> Problem:
    """Return the problem for DRF's exceptions, which the project's own classes and hooks raise."""
    if exception.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        # As DRF's own Throttled has it.
        wait: float | None = getattr(exception, "wait", None)
        retry_after = str(max(1, math.ceil(wait or 0)))
        return Throttled(
            "The project's own limit is exceeded.", headers={"Retry-After": retry_after}
        )
    kinds: dict[int, type[Problem]] = {403: PermissionDenied, 404: NotFound}
    return kinds.get(exception.status_code, InvalidRequest)()


def _report(exception: Exception, problem: Problem, request: HttpRequest) -> None:
    """Log the problem; for an internal error also send Django's signal `got_request_exception`."""
    if isinstance(problem, InternalError):
        logger.error("%s %s failed", request.method, request.path, exc_info=exception)
        got_request_exception.send(sender=None, request=request)
    elif isinstance(problem, StoreUnavailable):
        reason = exception.__cause__ or exception
        logger.error("%s %s: the store is unavailable: %s", request.method, request.path, reason)


def _fitting(faults: Sequence[Fault], room: int) -> Iterator[FaultRepresentation]:
    for fault in faults:
        representation = _represent_fault(fault)
        room -= len(json_bytes(representation)) + len(b",")
        if room < 0:
            return
        yield representation


def _represent_fault(fault: Fault) -> FaultRepresentation:
    location = {
        "pointer": fault.pointer,
        "parameter": fault.parameter,
        "header": fault.header,
    }
    given = {key: name for key, name in location.items() if name is not None}
    detail = shortened(fault.detail, _MAX_DETAIL_LENGTH)
    return {"code": fault.code, "detail": detail, **given}  # type: ignore[typeddict-item]
