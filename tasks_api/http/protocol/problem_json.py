"""From an exception to the format of all errors: `application/problem+json` (RFC 9457)."""

import json
import logging
import math
from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypedDict

from django.core import exceptions as django
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from pydantic import Field
from rest_framework import exceptions as drf

from tasks_api.backends.database.connections import renew_connections
from tasks_api.backends.database.failures import DATABASE_ERRORS, is_unavailable
from tasks_api.faults import Fault
from tasks_api.http.protocol import request_id
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
        body["errors"] = [_represent_fault(fault) for fault in problem.faults]
    # ASCII: a pointer may contain the name of a member that cannot be encoded in UTF-8.
    return HttpResponse(
        json.dumps(body),
        status=problem.status,
        content_type="application/problem+json",
        headers=problem.headers,
    )


def exception_handler(exception: Exception, context: dict[str, Any]) -> HttpResponse:
    """Return the answer to an exception of a view; DRF calls this for every exception."""
    # DRF's request wraps Django's, which all functions here take.
    request = context["request"]._request
    return problem_response(reported(exception, request), request)


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


def _represent_fault(fault: Fault) -> FaultRepresentation:
    location = {
        "pointer": fault.pointer,
        "parameter": fault.parameter,
        "header": fault.header,
    }
    given = {key: name for key, name in location.items() if name is not None}
    return {"code": fault.code, "detail": fault.detail, **given}  # type: ignore[typeddict-item]
