"""The programs that use the API."""

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from tasks_api.models.scope import usual_scopes, validate_scopes

LARGEST_CLIENT_NUMBER = 2**32 - 1
"""The ids of tasks have 32 bits for the client's number; 0 is the project's own code."""

PROJECT_NAME = "project"
"""The name of the project's own code in places that name clients."""


def random_client_number() -> int:
    return secrets.randbelow(LARGEST_CLIENT_NUMBER) + 1


def every_task() -> list[str]:
    return ["*"]


def validate_name(value: str) -> None:
    if value == PROJECT_NAME:
        raise ValidationError(f"The name {PROJECT_NAME} is reserved: choose another name.")


def validate_patterns(value: Any) -> None:
    if not isinstance(value, list) or not all(
        isinstance(pattern, str) and 0 < len(pattern) <= 255 for pattern in value
    ):
        raise ValidationError("Task patterns must be a list of patterns, such as shop.tasks.*.")


class ClientQuerySet(models.QuerySet["Client"]):
    def delete(self) -> tuple[int, dict[str, int]]:
        """
        Refuse to delete clients.

        Raises:
            ProtectedError: always; a new client with a reused number would own the old tasks.

        """
        raise models.ProtectedError(
            "A client cannot be deleted, because its number identifies its tasks: disable it.",
            set(self),
        )


class Client(models.Model):
    """
    A program that uses the API.

    Its number is random, is part of the ids of its tasks, and is never reused: clients cannot be
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
    is_enabled = models.BooleanField(
        "enabled",
        default=True,
        help_text="Whether its requests are served; its tasks run all the same.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ClientQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse, like the queryset."""
        return Client.objects.filter(pk=self.pk).delete()
