"""Owners of tasks whose ids do not contain them."""

from typing import ClassVar

from django.db import models


class TaskOwner(models.Model):
    """The owner of a task, for backends that generate their own ids."""

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
