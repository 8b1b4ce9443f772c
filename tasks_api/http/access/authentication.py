"""Who calls: a key of ours (RFC 6750), or whatever the project's own classes tell."""

from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.settings import api_settings

from tasks_api.clients import keys
from tasks_api.clients.caller import Caller
from tasks_api.clients.key_format import PREFIX
from tasks_api.conf import reset_when_settings_change, tasks_api_settings
from tasks_api.models import Client
from tasks_api.problems import NotAuthenticated

CHALLENGE = 'Bearer realm="tasks"'
INVALID_TOKEN = f'{CHALLENGE}, error="invalid_token"'
OTHER_CHALLENGE = 'Session realm="tasks"'
"""What a 401 names, which must name something, where a browser's session is all that counts."""


class KeyAuthentication(BaseAuthentication):
    """Takes `Authorization: Bearer tk_…`; other bearer tokens are left to the project's classes."""

    @sensitive_variables("token")
    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        token = _bearer_token(request)
        if not token.startswith(PREFIX):
            return None
        caller = keys.caller_with(token)
        if caller is None:
            raise NotAuthenticated(headers={"WWW-Authenticate": INVALID_TOKEN})
        # A program is no user: what stands for none is the project's to say.
        nobody: Any = api_settings.UNAUTHENTICATED_USER
        return nobody() if nobody else None, caller

    def authenticate_header(self, request: Request) -> str:
        return INVALID_TOKEN if _bearer_token(request) else CHALLENGE


@cache
def authentication_classes() -> tuple[type[BaseAuthentication], ...]:
    """Return the classes that the settings name."""
    return tuple(import_string(path) for path in tasks_api_settings().authentication_classes)


def find_caller(request: Request) -> Caller | None:
    """
    Tell which client sends a request; None where it shows no sign of any.

    Raises:
        NotAuthenticated: 401, what it shows is not valid.
        Exception: whatever the project's own classes and `CLIENT_OF` raise, such as DRF's 403 for a
            session without its CSRF token.

    """
    try:
        # DRF asks the classes in turn, the first time that somebody wants to know.
        if isinstance(request.auth, Caller):
            return request.auth
        client = _client_of()(request)
    except drf.APIException as error:
        if error.status_code == HTTPStatus.UNAUTHORIZED:
            raise not_authenticated(request) from error
        raise
    return None if client is None else Caller.of(client)


def require_caller(request: Request) -> Caller:
    """
    Tell which client sends a request.

    Raises:
        NotAuthenticated: 401, none that is known.
        Exception: what `find_caller` raises.

    """
    caller = find_caller(request)
    if caller is None:
        raise not_authenticated(request)
    return caller


def not_authenticated(request: Request) -> NotAuthenticated:
    """Build the 401 with the challenge of the first class that has one (RFC 9110, 11.6.1)."""
    classes: Any = request.authenticators or ()
    challenges = (one.authenticate_header(request) for one in classes)
    challenge = next(filter(None, challenges), OTHER_CHALLENGE)
    return NotAuthenticated(headers={"WWW-Authenticate": challenge})


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


@cache
def _client_of() -> Callable[[Request], Client | None]:
    path = tasks_api_settings().client_of
    return import_string(path) if path else lambda request: None


reset_when_settings_change(authentication_classes.cache_clear)
reset_when_settings_change(_client_of.cache_clear)
