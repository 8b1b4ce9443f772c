"""
Scopes: what a client may do; an optional app registers its own.

Example:
    `register_scope("schedule", "Keep schedules", needs=Scope.ENQUEUE)`, in `AppConfig.ready()`.

"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class Scope(models.TextChoices):
    """The built-in scopes."""

    ENQUEUE = "enqueue", "Enqueue tasks"
    READ = "read", "Read its own tasks"
    CANCEL = "cancel", "Cancel its own tasks"
    ADMIN = "admin", "Read all tasks, queues and workers"


_labels: dict[str, str] = {scope.value: str(scope.label) for scope in Scope}
_needs: dict[str, str] = {}


def register_scope(name: str, label: str, *, needs: str | None = None) -> None:
    """Add a scope; with `needs`, a client can have it only together with that other scope."""
    _labels[name] = label
    if needs is not None:
        _needs[name] = needs


def scope_choices() -> Iterator[tuple[str, str]]:
    """Yield every scope with its label, as choices of a Django field."""
    yield from _labels.items()


def usual_scopes() -> list[str]:
    return [Scope.ENQUEUE.value, Scope.READ.value, Scope.CANCEL.value]


def validate_scopes(value: Any) -> None:
    known = dict(scope_choices())
    if not isinstance(value, list) or any(
        not isinstance(one, str) or one not in known for one in value
    ):
        raise ValidationError(f"Scopes must be a list of: {', '.join(known)}.")
    for name in value:
        if name in _needs and _needs[name] not in value:
            raise ValidationError(f"The scope {name} needs the scope {_needs[name]}.")
