"""Turns at periodic work that one worker does for all workers."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from tasks_api.models.database_clock import ago


class ChoreTurnQuerySet(models.QuerySet["ChoreTurn"]):
    """Turns at chores, by the database's clock; one process at a time has the turn."""

    def take_turn(self, name: str, *, every: float) -> bool:
        """
        Begin a chore if it last began `every` seconds ago; return True for one process only.

        A new chore is due for the first time after `every` seconds.
        """
        if self.filter(pk=name, begun_at__lte=ago(every)).update(begun_at=Now()):
            return True
        if not self.filter(pk=name).exists():
            self.bulk_create([ChoreTurn(name=name)], ignore_conflicts=True)
        return False

    def keep_turn(self, name: str) -> None:
        """Record that the chore is still in progress."""
        self.filter(pk=name).update(begun_at=Now())

    def give_turn_back(self, name: str, *, every: float) -> None:
        """Release the chore, so that the next process continues."""
        self.filter(pk=name).update(begun_at=ago(every))


class ChoreTurn(models.Model):
    """When one worker last began a chore for all workers."""

    name = models.CharField(max_length=32, primary_key=True)
    begun_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[models.Manager["ChoreTurn"]] = ChoreTurnQuerySet.as_manager()

    class Meta:
        db_table = "tasks_api_chore"

    def __str__(self) -> str:
        return self.name
