"""Authentication: our own keys (RFC 6750), or the project's authentication classes."""

from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.settings import api_settings

from tasks_api.clients import keys
from tasks_api.clients.caller import Caller
from tasks_api.clients.key_format import PREFIX
from tasks_api.conf import reset_when_settings_change, tasks_api_settings
from tasks_api.http.access import task_tokens
from tasks_api.models import Client
from tasks_api.problems import NotAuthenticated, PermissionDenied

CHALLENGE = 'Bearer realm="tasks"'
INVALID_TOKEN = f'{CHALLENGE}, error="invalid_token"'
OTHER_CHALLENGE = 'Session realm="tasks"'
"""The challenge of a 401, which must have one, if the project's classes have none."""


class KeyAuthentication(BaseAuthentication):
    """
    Accepts `Authorization: Bearer tk_…`, which is a key.

    A task token is refused, so that a project's own views, too, do not take it for a key; other bearer tokens are
    left to the project's classes.
    """

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        caller = caller_with_key(request._request)
        return None if caller is None else (_no_user(), caller)

    def authenticate_header(self, request: Request) -> str:
        return INVALID_TOKEN if _bearer_token(request.META) else CHALLENGE


class LeaveBody(BaseParser):
    """
    Parses nothing: `strict_json` reads bodies, after authentication.

    DRF calls a parser when it looks for a session's CSRF token; that must be in its header.
    """

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return {}


@cache
def authentication_classes() -> tuple[type[BaseAuthentication], ...]:
    """Return the classes that are configured."""
    return tuple(import_string(path) for path in tasks_api_settings().authentication_classes)


@sensitive_variables("token")
def caller_with_key(request: HttpRequest) -> Caller | None:
    """
    Return the client of the key that a request has; None if it has none.

    Raises:
        NotAuthenticated: 401, the key is not valid, or is a task token.

    """
    token = _bearer_token(request.META)
    if token.startswith(task_tokens.PREFIX):
        detail = "A task token reads its task, and nothing else."
        raise NotAuthenticated(detail, headers={"WWW-Authenticate": INVALID_TOKEN})
    return _valid(keys.caller_with(token)) if token.startswith(PREFIX) else None


@sensitive_variables("token")
def _caller_with_task_token(request: HttpRequest) -> Caller | None:
    token = _bearer_token(request.META)
    if not token.startswith(task_tokens.PREFIX):
        return None
    return _valid(task_tokens.caller_with(token))


def _valid(caller: Caller | None) -> Caller:
    if caller is None:
        raise NotAuthenticated(headers={"WWW-Authenticate": INVALID_TOKEN})
    return caller


def find_caller(request: HttpRequest, *, takes_task_tokens: bool = False) -> Caller | None:
    """
    Return the client that sent a request; None if the request has no credentials.

    Who takes task tokens must show no more to a caller with `only_task` than that task.

    Raises:
        NotAuthenticated: 401, the credentials are not valid.
        Exception: whatever the project's own classes and `CLIENT_OF` raise, such as DRF's 403 for a
            session without its CSRF token.

    """
    classes = authentication_classes()
    caller = None
    if takes_task_tokens and any(issubclass(one, KeyAuthentication) for one in classes):
        # Before a session, which a browser may have as well.
        caller = _caller_with_task_token(request)
    if caller is None and classes[:1] == (KeyAuthentication,):
        # As DRF would, without its request, which only the project's classes need.
        caller = caller_with_key(request)
    if caller is None:
        return _find_with_rest_framework(_rest_framework_request(request))
    request.user = _no_user()
    return caller


def _find_with_rest_framework(request: Request) -> Caller | None:
    try:
        # Evaluating `auth` makes DRF try the classes in turn.
        if isinstance(request.auth, Caller):
            return request.auth
        client = client_of()(request)
    except drf.APIException as error:
        if error.status_code == HTTPStatus.UNAUTHORIZED:
            raise not_authenticated(request) from error
        raise
    if client is not None and not client.is_enabled:
        raise PermissionDenied("The client is disabled.")
    return None if client is None else Caller.of(client)


def _rest_framework_request(request: HttpRequest) -> Request:
    classes = [kind() for kind in authentication_classes()]
    return Request(
        request,
        parsers=[LeaveBody()],
        authenticators=classes,
        negotiator=DefaultContentNegotiation(),
    )


def _no_user() -> Any:
    # A program is no user: the project decides what represents no user.
    anonymous: Any = api_settings.UNAUTHENTICATED_USER
    return anonymous() if anonymous else None


def require_caller(request: HttpRequest, *, takes_task_tokens: bool = False) -> Caller:
    """
    Return the client that sent a request, as `find_caller` does.

    Raises:
        NotAuthenticated: 401, no client can be determined.
        Exception: what `find_caller` raises.

    """
    caller = find_caller(request, takes_task_tokens=takes_task_tokens)
    if caller is None:
        raise not_authenticated(_rest_framework_request(request))
    return caller


def not_authenticated(request: Request) -> NotAuthenticated:
    """Build the 401 with the challenge of the first class that has one (RFC 9110, 11.6.1)."""
    classes: Any = request.authenticators or ()
    challenges = (one.authenticate_header(request) for one in classes)
    challenge = next(filter(None, challenges), OTHER_CHALLENGE)
    return NotAuthenticated(headers={"WWW-Authenticate": challenge})


def _bearer_token(headers: Mapping[str, Any]) -> str:
    scheme, _, token = headers.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


@cache
def client_of() -> Callable[[Request], Client | None]:
    """Return the function that `CLIENT_OF` names."""
    path = tasks_api_settings().client_of
    return import_string(path) if path else lambda request: None


reset_when_settings_change(authentication_classes.cache_clear)
reset_when_settings_change(client_of.cache_clear)
