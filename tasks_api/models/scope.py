"""
Scopes: what a client may do; an optional app registers its own.

Example:
    `register_scope("schedule", "Keep schedules", needs=Scope.ENQUEUE)`, in `AppConfig.ready()`.

"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from tasks_api.registered import Registered


class Scope(models.TextChoices):
    """The built-in scopes."""

    ENQUEUE = "enqueue", "Enqueue tasks"
    READ = "read", "Read its own tasks"
    CANCEL = "cancel", "Cancel its own tasks"
    ADMIN = "admin", "Read all tasks, queues and workers"


_scopes: Registered[tuple[str, str | None]] = Registered("scope")
"""The label of each scope, and the scope that it needs."""


def register_scope(name: str, label: str, *, needs: str | None = None) -> None:
    """Add a scope; with `needs`, a client can have it only together with that other scope."""
    _scopes.add(name, (label, needs))


def scope_choices() -> Iterator[tuple[str, str]]:
    """Yield every scope with its label, as choices of a Django field."""
    yield from ((name, label) for name, (label, _) in _scopes.items())


def usual_scopes() -> list[str]:
    return [Scope.ENQUEUE.value, Scope.READ.value, Scope.CANCEL.value]


def validate_scopes(value: Any) -> None:
    known = dict(scope_choices())
    if not isinstance(value, list) or any(
        not isinstance(one, str) or one not in known for one in value
    ):
        raise ValidationError(f"Scopes must be a list of: {', '.join(known)}.")
    for name in value:
        _, needs = _scopes[name]
        if needs is not None and needs not in value:
            raise ValidationError(f"The scope {name} needs the scope {needs}.")


for _scope in Scope:
    register_scope(_scope.value, str(_scope.label))
