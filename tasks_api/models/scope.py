"""What a client may be allowed to do."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class Scope(models.TextChoices):
    """What a client may do."""

    ENQUEUE = "enqueue", "Enqueue tasks"
    READ = "read", "Read its own tasks"
    CANCEL = "cancel", "Cancel its own tasks"
    ADMIN = "admin", "Read everybody's tasks, queues and workers"


def usual_scopes() -> list[str]:
    return [Scope.ENQUEUE.value, Scope.READ.value, Scope.CANCEL.value]


def validate_scopes(value: Any) -> None:
    if not isinstance(value, list) or not set(value) <= set(Scope.values):
        raise ValidationError(f"Scopes are a list of: {', '.join(Scope.values)}.")
