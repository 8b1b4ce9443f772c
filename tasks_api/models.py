"""What the app keeps in the database beside the tasks themselves."""

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

LARGEST_CLIENT_NUMBER = 2**32 - 1
"""A number has 32 bits in the ids of its client's tasks; 0 is the project's own code."""

PROJECT_NAME = "project"
"""What stands for the project's own code where clients are named."""


class Scope(models.TextChoices):
    """What a client may do."""

    ENQUEUE = "enqueue", "Enqueue tasks"
    READ = "read", "Read its own tasks"
    CANCEL = "cancel", "Cancel its own tasks"
    ADMIN = "admin", "Read everybody's tasks, queues and workers"


def random_client_number() -> int:
    return secrets.randbelow(LARGEST_CLIENT_NUMBER) + 1


def usual_scopes() -> list[str]:
    return [Scope.ENQUEUE.value, Scope.READ.value, Scope.CANCEL.value]


def every_task() -> list[str]:
    return ["*"]


def validate_name(value: str) -> None:
    if value == PROJECT_NAME:
        raise ValidationError(f"No client can be called {PROJECT_NAME}.")


def validate_scopes(value: Any) -> None:
    if not isinstance(value, list) or not set(value) <= set(Scope.values):
        raise ValidationError(f"Scopes are a list of: {', '.join(Scope.values)}.")


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


class ClientKeyQuerySet(models.QuerySet["ClientKey"]):
    def revoke(self) -> int:
        """End the keys that are not revoked yet; return how many those were."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())

    def used(self, key_ids: set[str], *, interval: timedelta) -> int:
        """Note that these keys are in use, unless that was noted within the interval."""
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - interval)
        return self.filter(stale, pk__in=key_ids).update(last_used_at=now)


class ClientKey(models.Model):
    """
    What a client authenticates with; a client has several, so that they rotate without a gap.

    The secret is not here: of the whole key only a SHA-256 digest is kept.
    """

    key_id = models.CharField(max_length=12, primary_key=True, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="keys")
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ClientKeyQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.key_id

    @property
    def is_usable(self) -> bool:
        """Whether it is neither revoked nor past its end."""
        return self.revoked_at is None and (
            self.expires_at is None or timezone.now() < self.expires_at
        )


class IdempotencyRecord(models.Model):
    """
    Which tasks a client's `Idempotency-Key` has led to: `tasks` is null until they are enqueued.

    The constraint arbitrates between requests that come at once. Tasks outlive their record.
    """

    client_number = models.PositiveBigIntegerField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    tasks = models.JSONField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["client_number", "key"], name="tasks_api_one_record_a_key"
            )
        ]

    def __str__(self) -> str:
        return f"record {self.pk} of client {self.client_number}"


class TaskOwner(models.Model):
    """Whose a task is, for backends that pick ids of their own; other ids carry their owner."""

    backend = models.CharField(max_length=255)
    task_id = models.CharField(max_length=255)
    client_number = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["backend", "task_id"], name="tasks_api_one_owner_a_task"
            )
        ]

    def __str__(self) -> str:
        return f"{self.task_id} of client {self.client_number}"


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers judged by the database's clock alone, which all machines share."""

    def seen(self, worker_ids: Collection[str]) -> int:
        """Note that these workers are alive; return how many of them still have a row."""
        return self.filter(pk__in=worker_ids).update(last_seen_at=Now())

    def unseen_for(self, seconds: float) -> "WorkerQuerySet":
        return self.filter(last_seen_at__lt=_ago(seconds))

    def with_is_alive(self, lost_after_seconds: float) -> "WorkerQuerySet":
        """Add `is_alive`: whether the worker was seen within that time."""
        alive = Q(last_seen_at__gte=_ago(lost_after_seconds))
        return self.annotate(is_alive=models.ExpressionWrapper(alive, models.BooleanField()))


class ChoreQuerySet(models.QuerySet["Chore"]):
    """Turns at chores, by the database's clock."""

    def take_turn(self, name: str, *, every: float) -> bool:
        """
        Begin a chore where its last beginning is `every` seconds ago; of several, one alone does.

        A chore that nobody has heard of is due for the first time after that time, too.
        """
        if self.filter(pk=name, begun_at__lte=_ago(every)).update(begun_at=Now()):
            return True
        if not self.filter(pk=name).exists():
            self.bulk_create([Chore(name=name)], ignore_conflicts=True)
        return False

    def keep_turn(self, name: str) -> None:
        """Note that somebody is still at it."""
        self.filter(pk=name).update(begun_at=Now())

    def give_turn_back(self, name: str, *, every: float) -> None:
        """Let whoever looks next begin where one has left off."""
        self.filter(pk=name).update(begun_at=_ago(every))


def _ago(seconds: float) -> CombinedExpression:
    return Now() - models.Value(timedelta(seconds=seconds))


class Worker(models.Model):
    """
    A process that runs tasks: one row from its start until its end is known.

    `current_task` is written by the statement that claims the task, so that the task of a dead
    worker is found through this row.
    """

    worker_id = models.CharField(max_length=64, primary_key=True)
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    queue_names = models.JSONField(default=list)
    started_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    current_task = models.UUIDField(null=True)

    objects: ClassVar[models.Manager["Worker"]] = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ("started_at", "worker_id")

    def __str__(self) -> str:
        return f"{self.worker_id} ({self.hostname}, process {self.pid})"


class Chore(models.Model):
    """What is done now and then, by one worker for all of them."""

    name = models.CharField(max_length=32, primary_key=True)
    begun_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[models.Manager["Chore"]] = ChoreQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
