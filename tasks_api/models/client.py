"""The programs that call us."""

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from tasks_api.models.scope import usual_scopes, validate_scopes

LARGEST_CLIENT_NUMBER = 2**32 - 1
"""A number has 32 bits in the ids of its client's tasks; 0 is the project's own code."""

PROJECT_NAME = "project"
"""What stands for the project's own code where clients are named."""


def random_client_number() -> int:
    return secrets.randbelow(LARGEST_CLIENT_NUMBER) + 1


def every_task() -> list[str]:
    return ["*"]


def validate_name(value: str) -> None:
    if value == PROJECT_NAME:
        raise ValidationError(f"No client can be called {PROJECT_NAME}.")


def validate_patterns(value: Any) -> None:
    if not isinstance(value, list) or not all(
        isinstance(pattern, str) and 0 < len(pattern) <= 255 for pattern in value
    ):
        raise ValidationError("Task patterns are a list of patterns such as shop.tasks.*.")


class ClientQuerySet(models.QuerySet["Client"]):
    def delete(self) -> tuple[int, dict[str, int]]:
        """
        Refuse.

        Raises:
            ProtectedError: always: a number that is free again would give its tasks away.

        """
        raise models.ProtectedError(
            "A client is not deleted, since its tasks are known by its number: revoke its keys.",
            set(self),
        )


class Client(models.Model):
    """
    A program that calls us.

    Its number is random, stands in the ids of its tasks, and is never used again: a client is not
    deleted.
    """

    number = models.PositiveBigIntegerField(
        primary_key=True, default=random_client_number, editable=False
    )
    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
                "A name has letters, digits, dots, hyphens and underscores.",
            ),
            validate_name,
        ],
    )
    scopes = models.JSONField(default=usual_scopes, validators=[validate_scopes])
    task_patterns = models.JSONField(
        default=every_task,
        blank=True,
        validators=[validate_patterns],
        help_text="Which of the exposed task types it may enqueue, such as shop.tasks.*.",
    )
    rate = models.CharField(
        max_length=16,
        blank=True,
        validators=[
            RegexValidator(
                r"^[1-9][0-9]{0,8}/(s|min|h|day)\Z",
                "A rate is a number of requests per s, min, h or day, such as 100/min.",
            )
        ],
        help_text="How many requests it may send, such as 100/min; empty for any number.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ClientQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse, as the queryset does."""
        return Client.objects.filter(pk=self.pk).delete()
