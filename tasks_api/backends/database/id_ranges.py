"""
Ranges of task ids: the part of an owner's ids that a list covers.

The ids of one owner are a range of the primary key in the order of enqueueing. The same is true for the
tasks of one status or queue, in an index that ends with the id.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import connections
from django.db.models import CharField, F, Field, Func, QuerySet, UUIDField, Value
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThan

from tasks_api.backends.base import Position, Selection
from tasks_api.backends.database.indexes import QUEUE_AND_STATUS, STATUS
from tasks_api.ids import task_id

# How far the time in an id may be before and after `enqueued_at`, in milliseconds: the id is generated
# first, and then getting a connection may take long. Only a clock that is set back can cause the latter.
_MAX_LAG = 60_000
_MAX_STEP = 1_000
_LAST_MILLISECOND = (1 << 48) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Row(Func):
    """Columns or values that are compared as one, in the order of an index over them."""

    template = "(%(expressions)s)"
    output_field: "Field[Any, Any]" = Field()


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids `first` <= id < `end`, as integers; empty if `end` is not above `first`."""

    first: int
    end: int

    @classmethod
    def of(cls, owner: int, selection: Selection) -> Self:
        """Return the range of an owner's ids, with some margin around the selected time."""
        first, last = 0, _LAST_MILLISECOND
        if selection.enqueued_after is not None:
            first = _milliseconds(selection.enqueued_after) - _MAX_LAG
        if selection.enqueued_before is not None:
            last = _milliseconds(selection.enqueued_before) + _MAX_STEP
        first, last = (min(max(bound, 0), _LAST_MILLISECOND) for bound in (first, last))
        return cls(task_id(owner, first, 0).int, task_id(owner, last, 0).int)

    def beyond(self, position: Position) -> "IdRange":
        """Return the part on the side of a position."""
        bound = UUID(position.id).int + (position.side in {"<=", ">"})
        if position.leads_to_older:
            return replace(self, end=min(self.end, bound))
        return replace(self, first=max(self.first, bound))

    def among(
        self, rows: QuerySet[Any], *, status: str | None = None, queue_name: str | None = None
    ) -> QuerySet[Any]:
        """
        Select the tasks of the range by an index: all, those with a status, or those in a queue too.

        There is an index for a status, and one for a queue and a status together.
        """
        within = rows.filter(id__gte=UUID(int=self.first), id__lt=UUID(int=self.end)).order_by("id")
        if status is None:
            return within
        leading, value = STATUS, status
        if queue_name is not None:
            leading, value = QUEUE_AND_STATUS, f"{queue_name} {status}"
        if connections[rows.db].vendor != "postgresql":
            return within.filter(Exact(leading, Value(value)))
        # Compare and sort by both columns, because no other index has that order. With an equality and
        # an order by id, outdated statistics can make PostgreSQL scan the primary key instead.
        row = _Row(leading, F("id"))
        return rows.filter(
            GreaterThanOrEqual(row, _values(value, self.first)),
            LessThan(row, _values(value, self.end)),
        ).order_by(leading.asc(), "id")


def _values(value: str, number: int) -> _Row:
    return _Row(
        Value(value, output_field=CharField()),
        Value(UUID(int=number), output_field=UUIDField()),
    )


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)
