"""What is done now and then, by one worker for all of them."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from tasks_api.models.database_clock import ago


class ChoreQuerySet(models.QuerySet["Chore"]):
    """Turns at chores, by the database's clock."""

    def take_turn(self, name: str, *, every: float) -> bool:
        """
        Begin a chore where its last beginning is `every` seconds ago; of several, one alone does.

        A chore that nobody has heard of is due for the first time after that time, too.
        """
        if self.filter(pk=name, begun_at__lte=ago(every)).update(begun_at=Now()):
            return True
        if not self.filter(pk=name).exists():
            self.bulk_create([Chore(name=name)], ignore_conflicts=True)
        return False

    def keep_turn(self, name: str) -> None:
        """Note that somebody is still at it."""
        self.filter(pk=name).update(begun_at=Now())

    def give_turn_back(self, name: str, *, every: float) -> None:
        """Let whoever looks next begin where one has left off."""
        self.filter(pk=name).update(begun_at=ago(every))


class Chore(models.Model):
    """What is done now and then, by one worker for all of them."""

    name = models.CharField(max_length=32, primary_key=True)
    begun_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[models.Manager["Chore"]] = ChoreQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
