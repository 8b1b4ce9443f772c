"""A project's own logins, as its settings would name them: each user is a client."""

from rest_framework.request import Request

from tasks_api.models import Client


def client_of_user(request: Request) -> Client | None:
    """Map a logged-in user to the client of the same name."""
    if not request.user.is_authenticated:
        return None
    return Client.objects.filter(name=request.user.get_username()).first()
