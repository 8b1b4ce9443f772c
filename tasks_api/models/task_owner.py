"""Whose the tasks are whose ids do not say so."""

from typing import ClassVar

from django.db import models


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
