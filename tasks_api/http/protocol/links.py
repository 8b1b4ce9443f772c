"""The absolute URLs in answers."""

from django.urls import reverse
from rest_framework.request import Request

from tasks_api.conf import tasks_api_settings


def absolute_url(request: Request, name: str, *args: str) -> str:
    """
    Build the URL of a named resource from `PUBLIC_URL`, else from the request's checked host.

    Example:
        `absolute_url(request, "task", "5f0c332a-…")` is `https://host/tasks/5f0c332a-…/`.

    """
    path = reverse(f"tasks_api:{name}", args=args)
    if public_url := tasks_api_settings().public_url:
        return public_url.rstrip("/") + path
    return f"{request.scheme}://{request.get_host()}{path}"
