"""Large values: refused as small ones are, but without the memory that all of their faults would take."""

import dataclasses
import resource
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, Json

from tasks_api.arguments import first_fault, value_check
from tasks_api.faults import MAX_POINTER_LENGTH, Fault
from tasks_api.problems import InvalidArguments
from tests.arguments.test_value_check import arguments_of

LONG_NAME = "k" * 500_000
MEGABYTES = 1024  # of `ru_maxrss`, which is in kilobytes


class Point(BaseModel):
    x: int
    within: "list[Point]" = []


@dataclasses.dataclass
class Line:
    points: list[Point]
    label: str = ""


class Options(TypedDict, total=False):
    colour: Literal["red", "green"]


type Tree = dict[str, Tree] | list[Tree] | int
HINTS: list[Any] = [
    list[int],
    dict[str, list[int]],
    dict[Annotated[str, Field(max_length=2)], int],
    set[int] | None,
    tuple[int, ...],
    Point,
    list[Line],
    dict[str, Options],
    Tree,
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "red", "abc"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["x", "within", "points", "label", "colour", "abc"]), children
        )
    ),
    max_leaves=8,
)


def faults_of(hint: Any, value: Any) -> tuple[Fault, ...]:
    try:
        arguments_of(hint).check([], {"value": value})
    except InvalidArguments as problem:
        return problem.faults
    return ()


@given(st.sampled_from(HINTS), VALUES)
def test_a_value_is_judged_the_same_whatever_its_size(hint: Any, value: Any) -> None:
    every = faults_of(hint, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_check, "may_have_large_errors", lambda value: True)
        first = faults_of(hint, value)

    assert bool(first) == bool(every)
    assert set(first) <= set(every)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (dict[str, list[int]], {LONG_NAME: ["a"] * 100_000}),
        (dict[str, dict[str, int]], {LONG_NAME: {str(number): "" for number in range(50_000)}}),
        (dict[str, Options], {LONG_NAME: {str(number): 1 for number in range(50_000)}}),
        (dict[str, Point], {LONG_NAME: {str(number): 1 for number in range(50_000)}}),
        (Tree, {LONG_NAME: ["a"] * 100_000}),
        (list[int] | list[bool], ["a"] * 300_000),
        (Json[dict[str, list[int]]], f'{{"{LONG_NAME}": [{",".join(["null"] * 50_000)}]}}'),
    ],
    ids=["array", "object", "typed dict", "model", "recursive", "union", "JSON in a string"],
)
def test_the_faults_of_a_large_value_take_little_memory(hint: Any, value: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = faults_of(hint, value)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert 1 <= len(found) <= first_fault.MAX_ERRORS
    assert all(len(fault.pointer or "") <= MAX_POINTER_LENGTH for fault in found)
    assert grown < 100 * MEGABYTES


def test_all_faults_of_a_value_of_usual_size_are_reported() -> None:
    assert len(faults_of(list[int], [""] * 50)) == 50
    assert len(faults_of(list[Point], [{"x": "", "y": 1}] * 40)) == 80


def test_a_fault_below_a_long_name_is_reported_at_the_value_around_it() -> None:
    (fault,) = faults_of(dict[str, dict[str, int]], {"a/b": {LONG_NAME: ""}})

    assert fault.pointer == "/kwargs/value/a~1b"
    assert fault.detail == "Somewhere in this value: Should be a whole number."


class Sum(BaseModel):
    left: "Expression"


class Product(BaseModel):
    left: "Expression"


type Expression = Sum | Product | int


def nested(levels: int, innermost: Any) -> Any:
    return {"left": nested(levels - 1, innermost)} if levels else innermost


@pytest.mark.parametrize("innermost", [1, "x"])
def test_members_of_a_union_that_all_fit_are_not_tried_without_end(innermost: Any) -> None:
    Sum.model_rebuild()
    Product.model_rebuild()
    assert faults_of(Expression, nested(5, 1)) == ()
    assert "integer_type" in {fault.code for fault in faults_of(Expression, nested(5, "x"))}

    (fault,) = faults_of(Expression, nested(28, innermost))
    assert (fault.code, fault.pointer) == ("too_deep", "/kwargs/value")


def test_a_recursive_union_takes_long_values() -> None:
    assert faults_of(Tree, [[number] for number in range(50_000)]) == ()
