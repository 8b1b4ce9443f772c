"""
Walking the rows of tasks by their primary key, which holds the owner and the time.

The ids of one owner are a range of the index, in the order of enqueueing: where a page lies in the
list makes no difference to what it costs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Func, IntegerField, Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce

from tasks_api.backends.base import Position, Selection
from tasks_api.ids import owner_of, task_id
from tasks_api.timestamps import as_stored

MAX_EXAMINED = 10_000
"""How many rows a walk with filters looks at; where none matches, it ends without a task."""

MAX_LOADED_BYTES = 1024 * 1024
"""How much of arguments, return values and tracebacks is loaded at a time, one row in any case."""

# How far the time in an id may lie before and after `enqueued_at`, in milliseconds: the id is drawn
# first, then a connection may have to be waited for. Backwards, only a clock that is set can go.
_MAX_LAG = 60_000
_MAX_STEP = 1_000
_LAST_MILLISECOND = (1 << 48) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LOOKUPS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


class OctetLength(Func):
    """How many bytes a text takes."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite knows the function since 3.43 only.
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template, **context)


@dataclass(frozen=True, slots=True)
class Walk:
    """
    The rows that a walk found, nearest first, not loaded yet.

    Attributes:
        rows: the rows that the walk may find, in its order.
        sizes: the ids of those that it found, and how many bytes each would load.
        reached: the id to walk on from; None at the end of the list.

    """

    rows: QuerySet[Any]
    sizes: list[tuple[UUID, int]]
    reached: UUID | None

    @classmethod
    def of(cls, rows: QuerySet[Any], identifiers: list[UUID]) -> "Walk":
        """Find the rows of these ids, in this order."""
        rows = rows.filter(pk__in=identifiers).order_by()
        sizes = dict(_sizes(rows))
        return cls(rows, [(key, sizes[key]) for key in identifiers if key in sizes], None)

    @classmethod
    def along(
        cls,
        rows: QuerySet[Any],
        selection: Selection,
        start: Position | None,
        *,
        owner: int,
        limit: int,
    ) -> "Walk":
        """Find an owner's rows from a position, or from the newest one."""
        to_older = start is None or start.leads_to_older
        rows = rows.filter(_range(owner, selection)).order_by("-id" if to_older else "id")
        if start is not None:
            rows = rows.filter(**{f"id__{_LOOKUPS[start.side]}": start.id})
        reached: UUID | None = None
        if filters := _filters(selection):
            ids = rows.values_list("id", flat=True)
            reached = next(iter(ids[MAX_EXAMINED - 1 : MAX_EXAMINED]), None)
            if reached is not None:
                rows = rows.filter(**{"id__gte" if to_older else "id__lte": reached})
            rows = rows.filter(filters)
        sizes = _sizes(rows[: limit + 1])
        if len(sizes) > limit:
            sizes.pop()
            reached = sizes[-1][0]
        # Chance might give an id of another version the same beginning.
        return cls(rows, [(key, size) for key, size in sizes if owner_of(key) == owner], reached)

    def load(self, *columns: str) -> Iterator[dict[str, Any]]:
        """Load what was found and still belongs there, a bounded portion at a time."""
        for keys in _portions(self.sizes):
            rows = self.rows.filter(pk__in=keys).values("pk", *columns)
            loaded = {row["pk"]: row for row in rows}
            yield from (loaded[key] for key in keys if key in loaded)


def _range(owner: int, selection: Selection) -> Q:
    """Bound the primary key: an owner's ids, generously within the window of time."""
    first, last = 0, _LAST_MILLISECOND
    if selection.enqueued_after is not None:
        first = _milliseconds(selection.enqueued_after) - _MAX_LAG
    if selection.enqueued_before is not None:
        last = _milliseconds(selection.enqueued_before) + _MAX_STEP
    first, last = (min(max(bound, 0), _LAST_MILLISECOND) for bound in (first, last))
    return Q(id__gte=task_id(owner, first, 0), id__lt=task_id(owner, last, 0))


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _filters(selection: Selection) -> Q:
    """Say what the range of the primary key does not: falsy where there is nothing to say."""
    wanted: dict[str, Any] = {
        "status__in": selection.statuses or None,
        "task_path": selection.task_path,
        "queue_name": selection.queue_name,
        "enqueued_at__gte": selection.enqueued_after and as_stored(selection.enqueued_after),
        "enqueued_at__lt": selection.enqueued_before and as_stored(selection.enqueued_before),
    }
    return Q(**{lookup: value for lookup, value in wanted.items() if value is not None})


def _sizes(rows: QuerySet[Any]) -> list[tuple[UUID, int]]:
    """Say how many bytes each row takes of what may be as much as a client likes."""
    size = (
        OctetLength(Cast("args_kwargs", TextField()))
        + Coalesce(OctetLength(Cast("return_value", TextField())), 0)
        + OctetLength("traceback")
    )
    return list(rows.annotate(size=size).values_list("id", "size"))


def _portions(sizes: list[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    portion: list[UUID] = []
    total = 0
    for key, size in sizes:
        if portion and total + size > MAX_LOADED_BYTES:
            yield portion
            portion, total = [], 0
        portion.append(key)
        total += size
    if portion:
        yield portion
