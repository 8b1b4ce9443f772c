"""The processes that run tasks."""

from collections.abc import Collection
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_api.models.database_clock import ago


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers; all times are by the database's clock, which all machines share."""

    def seen(self, worker_ids: Collection[str]) -> int:
        """Record that these workers are alive; return how many of them still have a row."""
        return self.filter(pk__in=worker_ids).update(last_seen_at=Now())

    def unseen_for(self, seconds: float) -> "WorkerQuerySet":
        return self.filter(last_seen_at__lt=ago(seconds))

    def with_is_alive(self, lost_after_seconds: float) -> "WorkerQuerySet":
        """Add `is_alive`: whether the worker was seen within that time."""
        alive = Q(last_seen_at__gte=ago(lost_after_seconds))
        return self.annotate(is_alive=models.ExpressionWrapper(alive, models.BooleanField()))


class Worker(models.Model):
    """
    A process that runs tasks; it has a row from its start until its end is noticed.

    The statement that claims a task also writes `current_task`, so that the task of a dead worker is
    found through this row.
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
