"""
Django's error handlers for a project that answers every error with a problem, as the service does.

They handle errors outside of our views: `handler404 = "tasks_api.http.protocol.django_handlers.not_found"`.
"""

from django.http import HttpRequest, HttpResponse

from tasks_api.http.protocol.problem_json import problem_response
from tasks_api.problems import InternalError, InvalidRequest, NotFound


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(InvalidRequest(), request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(NotFound(), request)


def internal_error(request: HttpRequest) -> HttpResponse:
    return problem_response(InternalError(), request)
