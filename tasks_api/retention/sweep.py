"""Removing rows in batches, each in its own short transaction."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db import connections, transaction
from django.db.models import Q, QuerySet


@dataclass(frozen=True, slots=True)
class Batch:
    """The number of rows that one step has removed, and whether it was the last step."""

    removed: int
    is_last: bool


class Sweep:
    """
    Removes rows in the order of an indexed time column, the oldest first.

    Several processes can sweep the same rows: on PostgreSQL each skips rows that another has locked,
    on SQLite they take turns.
    """

    def __init__(
        self, name: str, rows: QuerySet[Any], column: str, beside: Sequence[QuerySet[Any]] = ()
    ) -> None:
        """Take the rows that go, and those with the same primary keys that go together with them."""
        self.name = name
        self._rows = rows
        self._column = column
        self._beside = beside
        self._reached: Any = None

    def count(self) -> int:
        return self._rows.count()

    def remove(self, limit: int) -> Batch:
        """Remove the first rows, `limit` at most."""
        rows = self._rows
        if self._reached is not None:
            # Skip the rows that were just removed, which are in the index until it is vacuumed.
            rows = rows.filter(**{f"{self._column}__gte": self._reached})
        # SQLite needs no lock, and a transaction that begins with a read may fail to write.
        has_locks = connections[rows.db].features.has_select_for_update_skip_locked
        with transaction.atomic(using=rows.db) if has_locks else nullcontext():
            first = rows.order_by(self._column).select_for_update(skip_locked=has_locks)
            found = list(first.values_list("pk", self._column)[:limit])
            removed = self._remove([key for key, _ in found])
        if found:
            self._reached = found[-1][1]
        return Batch(removed, is_last=len(found) < limit)

    def _remove(self, keys: list[Any]) -> int:
        if not self._beside:
            return remove(self._rows, keys)
        with transaction.atomic(using=self._rows.db, savepoint=False):
            for rows in self._beside:
                remove(rows, keys)
            return remove(self._rows, keys)


class SelectiveSweep:
    """Removes the rows for which a function returns True, and skips the others."""

    def __init__(
        self, name: str, rows: QuerySet[Any], column: str, is_removable: Callable[[Any], bool]
    ) -> None:
        self.name = name
        # The key as well, since rows of one time have no order of their own.
        self._rows = rows.order_by(column, "pk")
        self._column = column
        self._is_removable = is_removable
        self._last: Any = None

    def count(self) -> int:
        return sum(map(self._is_removable, self._rows))

    def remove(self, limit: int) -> Batch:
        """Check the next rows, `limit` at most, and remove those that are removable."""
        found = list(self._next_rows()[:limit])
        removable = [row.pk for row in found if self._is_removable(row)]
        if found:
            self._last = found[-1]
        return Batch(remove(self._rows, removable), is_last=len(found) < limit)

    def _next_rows(self) -> QuerySet[Any]:
        if self._last is None:
            return self._rows
        reached = getattr(self._last, self._column)
        # The first condition alone is what an index on the column understands.
        return self._rows.filter(**{f"{self._column}__gte": reached}).filter(
            Q(**{f"{self._column}__gt": reached}) | Q(pk__gt=self._last.pk)
        )


class OrphanSweep(SelectiveSweep):
    """Removes the rows whose `is_orphan` is true, and skips the others."""

    def __init__(self, name: str, rows: QuerySet[Any]) -> None:
        super().__init__(name, rows, "pk", attrgetter("is_orphan"))

    def count(self) -> int:
        return self._rows.filter(is_orphan=True).count()


def remove(rows: QuerySet[Any], keys: list[Any]) -> int:
    """Remove the rows with these primary keys; return their number."""
    removed = rows.order_by().filter(pk__in=keys).delete()[1]
    return removed.get(rows.model._meta.label, 0)
