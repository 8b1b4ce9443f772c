"""The tasks that were enqueued with `Idempotency-Key`s."""

from typing import ClassVar

from django.db import models


class IdempotencyRecord(models.Model):
    """
    The tasks of a client's `Idempotency-Key`; `tasks` is null until they are enqueued.

    The constraint lets only one of several simultaneous requests enqueue. Tasks outlive their record.
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
