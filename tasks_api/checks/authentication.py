"""Checks of who requests are from."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from tasks_api.conf import tasks_api_settings
from tasks_api.http.access.authentication import (
    KeyAuthentication,
    authentication_classes,
    client_of,
)


@register
def check_authentication(**_: Any) -> list[CheckMessage]:
    """Report missing authentication, and authenticated requests that map to no client."""
    try:
        classes = authentication_classes()
    except ImportError as error:
        return [
            Error(
                f"An authentication class cannot be imported: {error}",
                hint="Correct TASKS_API['AUTHENTICATION_CLASSES'].",
                id="tasks_api.E004",
            )
        ]
    if not classes:
        return [
            Error(
                "TASKS_API['AUTHENTICATION_CLASSES'] is empty: every request will be refused.",
                hint="Name at least one class in TASKS_API['AUTHENTICATION_CLASSES'].",
                id="tasks_api.E005",
            )
        ]
    if client_of_error := _client_of_error():
        return [client_of_error]
    others = [kind.__name__ for kind in classes if not issubclass(kind, KeyAuthentication)]
    if others and not tasks_api_settings().client_of:
        return [
            Error(
                f"No setting maps requests that {others[0]} authenticates to a client.",
                hint="Set TASKS_API['CLIENT_OF'] to the dotted path of a function of the request.",
                id="tasks_api.E006",
            )
        ]
    return []


def _client_of_error() -> CheckMessage | None:
    try:
        function = client_of()
    except ImportError as error:
        reason = f"cannot be imported: {error}"
    else:
        if callable(function):
            return None
        reason = "is not a function"
    return Error(
        f"TASKS_API['CLIENT_OF'] {reason}",
        hint="Set it to the dotted path of a function of the request.",
        id="tasks_api.E009",
    )
