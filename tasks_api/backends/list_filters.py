"""
Filters of `GET /tasks/`: an optional app adds query parameters that select tasks.

Example:
    `register_list_filter(ListFilter("schedule", description="The id of a schedule.", parse=uuid_or_none,
    code="unknown_schedule", expected="Should be the id of a schedule.", rows=lambda schedule:
    Q(pk__in=Run.objects.filter(schedule=schedule).values("task"))))`, in `AppConfig.ready()`.

"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from tasks_api.registered import Registered


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """
    A query parameter that selects tasks; it can be given once.

    Attributes:
        name: the parameter.
        parse: reads its text; returns None for an invalid text.
        code: the code of the fault for an invalid text.
        expected: the detail of that fault: `Should be …`.
        rows: returns the condition of a value on rows of the database backend's table. The indexes of
            lists do not cover it: a page examines a limited number of rows, and may find few.

    """

    name: str
    description: str
    parse: Callable[[str], Any]
    code: str
    expected: str
    rows: Callable[[Any], Q]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


list_filters: Registered[ListFilter] = Registered(
    "query parameter of lists",
    reserved=(
        *("status", "outcome", "queue_name", "enqueued_after", "enqueued_before"),
        *("page_size", "cursor", "client", "id"),
    ),
)


def register_list_filter(added: ListFilter) -> None:
    """Add a filter to lists of tasks; call this in `AppConfig.ready()`."""
    list_filters.add(added.name, added)


register_list_filter(
    ListFilter(
        name="task",
        description="The name of a task type.",
        parse=str,
        code="string_type",
        expected="Should be the name of a task type.",
        rows=lambda name: Q(task_path=name),
    )
)
