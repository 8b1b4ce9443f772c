"""What changes about a task beside its own row."""

from typing import ClassVar

from django.db import models


class TaskRun(models.Model):
    """
    What is kept of a task's attempts: a row only for tasks that were tried again, or told to stop.

    Written by whoever holds the lock of the task's row, and removed together with it.

    Attributes:
        started_at: when the first attempt began; null while the task's own row says so.
        errors: one object for each attempt that was followed by another, oldest first, with the members
            `attempt`, `failed_at` (RFC 3339), `worker_id`, `exception_class_path` and `traceback`.
        cancel_requested_at: when a client cancelled the task while it ran.

    """

    task_id = models.UUIDField(primary_key=True)
    started_at = models.DateTimeField(null=True)
    errors = models.JSONField(default=list)
    cancel_requested_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["TaskRun"]] = models.Manager()

    def __str__(self) -> str:
        return str(self.task_id)
