"""What optional apps register: a name is taken once, and none that the core uses."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from tasks_api.backends.list_filters import ListFilter, list_filters, register_list_filter
from tasks_api.calls.members import CallMember, call_members, register_call_member
from tasks_api.models import Scope, register_scope
from tasks_api.registered import Registered
from tasks_api.results.members import TaskMember, register_task_member, task_members


def test_a_name_is_taken_once() -> None:
    registered: Registered[int] = Registered("number", reserved=["zero"])
    registered.add("one", 1)
    registered.add("one", 1)
    for name in ("one", "zero"):
        with pytest.raises(ImproperlyConfigured, match=rf"There is already a number '{name}'\."):
            registered.add(name, 2)

    assert registered == {"one": 1}


@pytest.mark.parametrize(
    ("register", "places"),
    [
        (lambda: register_scope(Scope.READ, "Read what others wrote"), {}),
        (lambda: register_call_member(CallMember("args", {}, list, list)), call_members),  # type: ignore[arg-type]
        (lambda: register_task_member(TaskMember("status", str, dict)), task_members),
        (lambda: register_list_filter(a_filter("cursor")), list_filters),
        (lambda: register_list_filter(a_filter("task")), list_filters),
    ],
)
def test_nothing_of_the_core_is_replaced(
    register: Callable[[], None], places: dict[str, Any]
) -> None:
    before = dict(places)
    with pytest.raises(ImproperlyConfigured, match="There is already a "):
        register()

    assert places == before


def a_filter(name: str) -> ListFilter:
    return ListFilter(
        name=name, description="", parse=str, code="enum", expected="", rows=lambda _: Q()
    )
