"""A project's own logins, as its settings would name them: each user is a client."""

from django.core import exceptions as django
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.request import Request

from tasks_api.models import Client

REFUSALS: dict[str, Exception] = {
    "denied by Django": django.PermissionDenied(),
    "denied by DRF": drf.PermissionDenied(),
    "not known": drf.AuthenticationFailed(),
    "not there": Http404(),
    "not there for DRF": drf.NotFound(),
    "too many": drf.Throttled(wait=7.2),
    "too many, for how long nobody knows": drf.Throttled(),
    "malformed": drf.ParseError(),
    "suspicious": django.SuspiciousOperation(),
}


def client_of_user(request: Request) -> Client | None:
    """Map a logged-in user to the client of the same name."""
    if not request.user.is_authenticated:
        return None
    return Client.objects.filter(name=request.user.get_username()).first()


def refuse(request: Request) -> Client | None:
    """Refuse a request in the way that its header names."""
    raise REFUSALS[request.headers["X-Refusal"]]
