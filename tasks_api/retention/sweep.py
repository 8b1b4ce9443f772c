"""Removing rows in batches, each in a short transaction of its own."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step has removed; the last one finds no more."""

    removed: int
    is_last: bool


class Sweep:
    """
    Removes rows in the order of a moment that is indexed, the oldest first.

    Several sweeps of the same rows do no harm: on PostgreSQL each passes over what another has
    locked, on SQLite they take turns.
    """

    def __init__(self, name: str, rows: QuerySet[Any], moment: str) -> None:
        self.name = name
        self._rows = rows
        self._moment = moment
        self._reached: Any = None

    def count(self) -> int:
        return self._rows.count()

    def remove(self, limit: int) -> Batch:
        """Remove the first rows, so many at most."""
        rows = self._rows
        if self._reached is not None:
            # Past what was removed a moment ago, and is still in the index until it is vacuumed.
            rows = rows.filter(**{f"{self._moment}__gte": self._reached})
        # SQLite needs no lock, and a transaction that begins with reading could not go on writing.
        has_locks = connections[rows.db].features.has_select_for_update_skip_locked
        with transaction.atomic(using=rows.db) if has_locks else nullcontext():
            first = rows.order_by(self._moment).select_for_update(skip_locked=has_locks)
            found = list(first.values_list("pk", self._moment)[:limit])
            removed = remove(rows, [key for key, _ in found])
        if found:
            self._reached = found[-1][1]
        return Batch(removed, is_last=len(found) < limit)


class ChoosySweep:
    """Removes those of the rows that may go by what is asked of each; the others it passes over."""

    def __init__(
        self, name: str, rows: QuerySet[Any], moment: str, may_go: Callable[[Any], bool]
    ) -> None:
        self.name = name
        self._rows = rows.order_by(moment)
        self._may_go = may_go
        self._left = 0

    def count(self) -> int:
        return sum(map(self._may_go, self._rows))

    def remove(self, limit: int) -> Batch:
        """Look at the next rows, so many at most."""
        found = list(self._rows[self._left : self._left + limit])
        going = [row.pk for row in found if self._may_go(row)]
        self._left += len(found) - len(going)
        return Batch(remove(self._rows, going), is_last=len(found) < limit)


def remove(rows: QuerySet[Any], keys: list[Any]) -> int:
    """Remove those of the rows that have these keys; return how many there were."""
    going = rows.order_by().filter(pk__in=keys)
    return going.delete()[1].get(rows.model._meta.label, 0)
