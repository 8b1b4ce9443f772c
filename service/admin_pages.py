"""
What Django's admin needs around it, and what nothing else here does.

The API knows no sessions, cookies or messages: its requests pass these by, since all of them together
would cost as much as a good part of a GET.
"""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware import csrf
from django.utils.deprecation import MiddlewareMixin

PREFIX = "/admin/"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class OnAdminPages(MiddlewareMixin):
    """Works on the admin's pages, and passes all other requests on."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(PREFIX):
            return super().__call__(request)
        return self.get_response(request)


class ContentSecurityPolicyMiddleware(OnAdminPages):
    """Confines pages to scripts and styles of the service, and to windows of their own."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


class SessionMiddleware(OnAdminPages, sessions.SessionMiddleware):
    """Django's."""


class CsrfViewMiddleware(OnAdminPages, csrf.CsrfViewMiddleware):
    """Django's."""


class AuthenticationMiddleware(OnAdminPages, auth.AuthenticationMiddleware):
    """Django's."""


class MessageMiddleware(OnAdminPages, messages.MessageMiddleware):
    """Django's."""
