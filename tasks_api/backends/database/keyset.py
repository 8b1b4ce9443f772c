"""
Reading lists of tasks by their ids, which contain the owner and the time.

A walk reads ranges of indexes that end with the id: its cost does not depend on the position of a page
in the list, or on the number of tasks.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Func, IntegerField, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce
from django.tasks import TaskResultStatus

from tasks_api.backends.base import Position, Selection
from tasks_api.backends.database.id_ranges import IdRange
from tasks_api.backends.database.rows import RUN
from tasks_api.backends.list_filters import list_filters
from tasks_api.ids import owner_of
from tasks_api.models import TaskRun
from tasks_api.outcomes import BY_EXCEPTION, statuses_of
from tasks_api.timestamps import as_stored

MAX_EXAMINED = 10_000
"""How many rows of a range are examined if no index covers a filter; none of them may match."""

MAX_LOADED_BYTES = 1024 * 1024
"""How much of arguments, return values and tracebacks is loaded at a time; at least one row."""


class OctetLength(Func):
    """The number of bytes of a text."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite has the function only since 3.43.
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template, **context)


@dataclass(frozen=True, slots=True)
class Walk:
    """
    The rows that a walk found, nearest first, not loaded yet.

    Attributes:
        sizes: the ids of the found rows, and how many bytes each would load.
        reached: the id to continue from; None at the end of the list.
        statuses: the statuses that a row must have when it is found and when it is loaded.

    """

    sizes: list[tuple[UUID, int]]
    reached: UUID | None
    statuses: frozenset[str]

    @classmethod
    def of(cls, rows: QuerySet[Any], identifiers: list[UUID]) -> "Walk":
        """Find the rows with these ids, in this order."""
        sizes = dict(_sizes(rows.filter(pk__in=identifiers).order_by()))
        found = [(key, sizes[key]) for key in identifiers if key in sizes]
        return cls(found, None, frozenset())

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
        statuses = _statuses(selection)
        ids = IdRange.of(owner, selection)
        if start is not None:
            ids = ids.beyond(start)
        reached: UUID | None = None
        if filters := _filters(selection):
            ranges = _index_ranges(rows, statuses, selection.queue_name, ids, to_older=to_older)
            reached = _examined(ranges, to_older)
            if reached is not None:
                ids = ids.beyond(Position(">=" if to_older else "<=", str(reached)))
        found: dict[UUID, int] = {}
        for range_ in _index_ranges(rows, statuses, selection.queue_name, ids, to_older=to_older):
            # A task that changes its status between two queries is in both.
            found |= _sizes(range_.filter(filters)[: limit + 1])
        sizes = sorted(found.items(), reverse=to_older)
        if len(sizes) > limit:
            sizes = sizes[:limit]
            reached = sizes[-1][0]
        # An id of another version may start with the same bits by chance.
        sizes = [(key, size) for key, size in sizes if owner_of(key) == owner]
        return cls(sizes, reached, frozenset(statuses))

    def load(
        self, rows_of: Callable[[list[UUID]], Iterator[dict[str, Any]]]
    ) -> Iterator[dict[str, Any]]:
        """Load the rows that were found and still match, a limited amount at a time."""
        for keys in _portions(self.sizes):
            loaded = {row["id"]: row for row in rows_of(keys)}
            yield from (loaded[key] for key in keys if key in loaded and self._shows(loaded[key]))

    def _shows(self, row: dict[str, Any]) -> bool:
        # The other selected columns never change.
        return not self.statuses or row["status"] in self.statuses


def _statuses(selection: Selection) -> list[str]:
    """
    Return the statuses that a selected task can have; none if the selection contradicts itself.

    They are in the order in which a task has them: a task that changes its status is not missed.
    """
    wanted = set(selection.statuses or TaskResultStatus.values)
    if selection.outcomes:
        wanted &= statuses_of(selection.outcomes)
    return [status for status in TaskResultStatus.values if status in wanted]


def _index_ranges(
    rows: QuerySet[Any],
    statuses: list[str],
    queue_name: str | None,
    ids: IdRange,
    *,
    to_older: bool,
) -> Iterator[QuerySet[Any]]:
    """Yield the ranges of an index that together contain these statuses and the queue, nearest first."""
    if queue_name is None and statuses == TaskResultStatus.values:
        found = [ids.among(rows)]
    else:
        found = [ids.among(rows, status=status, queue_name=queue_name) for status in statuses]
    for rows_of_range in found:
        yield rows_of_range.reverse() if to_older else rows_of_range


def _examined(ranges: Iterator[QuerySet[Any]], to_older: bool) -> UUID | None:
    """Return the id up to which all ranges can be read at a limited cost; None for no limit."""
    ends = [
        end
        for rows in ranges
        for end in rows.values_list("id", flat=True)[MAX_EXAMINED - 1 : MAX_EXAMINED]
    ]
    return (max if to_older else min)(ends, default=None)


def _filters(selection: Selection) -> Q:
    """Return the condition that no range of an index covers; falsy if there is none."""
    wanted = _with_outcome(selection.outcomes)
    for name, text in selection.filters:
        wanted &= list_filters[name].rows(list_filters[name].parse(text))
    if selection.enqueued_after is not None:
        wanted &= Q(enqueued_at__gte=as_stored(selection.enqueued_after))
    if selection.enqueued_before is not None:
        wanted &= Q(enqueued_at__lt=as_stored(selection.enqueued_before))
    return wanted


def _with_outcome(outcomes: Collection[str]) -> Q:
    """Return the condition that tasks with one of the statuses of these outcomes have one of them."""
    if not outcomes:
        return Q()
    if "failed" in outcomes:
        others = [path for path, outcome in BY_EXCEPTION.items() if outcome not in outcomes]
        wanted = ~Q(exception_class_path__in=others) if others else Q()
    else:
        paths = [path for path, outcome in BY_EXCEPTION.items() if outcome in outcomes]
        wanted = Q(exception_class_path__in=paths) if paths else Q()
    if wanted and "succeeded" in outcomes:
        wanted |= Q(status=TaskResultStatus.SUCCESSFUL)
    return wanted


def _sizes(rows: QuerySet[Any]) -> list[tuple[UUID, int]]:
    """Return the ids of rows with the size of the columns whose size clients and tasks determine."""
    size = (
        OctetLength(Cast("args_kwargs", TextField()))
        + Coalesce(OctetLength(Cast("return_value", TextField())), 0)
        + OctetLength("traceback")
    )
    if RUN.is_with(rows.model):
        size += Coalesce(Subquery(_size_of_errors()), 0)
    return list(rows.annotate(size=size).values_list("id", "size"))


def _size_of_errors() -> QuerySet[Any]:
    runs = TaskRun.objects.filter(pk=OuterRef("pk"))
    return runs.values_list(OctetLength(Cast("errors", TextField())))


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
