"""
How requests are held, between the app and a server that can do so without a thread for each.

The server puts an empty list into the WSGI environ, or into the ASGI scope, as `HOLDS`. If there is a hold in it
when the application has returned, the answer is not sent: the server keeps the connection, calls the hold's
`start()` and, once it is told to, the application again, with the same environ or scope, without a body, and with
the hold as `HELD`. That answer is sent. If the client goes away meanwhile, the server calls `cancel()`.

If the hold `is_stream`, the answer is sent, without its end. Each time the server is told to, it calls
`following()`, sends what that returns, and calls `start()` again, until that was the last part.
"""

from typing import Any

from django.http import HttpRequest

HOLDS = "tasks_api.holds"
HELD = "tasks_api.held"


def from_server(request: HttpRequest, name: str) -> Any:
    """Return what the server has put into the environ or the scope; no client can."""
    scope = getattr(request, "scope", None)
    return request.META.get(name) if scope is None else scope.get(name)
