"""
What is checked and what is published agree, whatever a value is like.

A client that keeps to the JSON Schema of a task type is refused only for what JSON Schema cannot
say, and nothing passes the check that the schema rules out.
"""

import json
import re
import typing
from functools import cache
from typing import Any

import pytest
from django.tasks import Task
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from pydantic_core import core_schema

from tasks_api.arguments import Arguments
from tasks_api.arguments.core_schemas import core_schema_of
from tasks_api.arguments.hint_json_schema import PreciseSchema
from tasks_api.arguments.strict_schema import strict_schema
from tasks_api.problems import InvalidArguments
from tests.arguments import signatures_corpus as corpus
from tests.arguments.test_arguments import BAD_VALUES, GOOD_VALUES, JSON, arguments_of, nodes

# Validators of their own, and a hint that says nothing, have no JSON Schema that says it all.
WITHOUT_A_WORD = {
    corpus.a_picky_model,
    corpus.a_model_with_validators,
    corpus.a_callable,
    corpus.nonsense,
    corpus.no_type_at_all,
    corpus.an_enum_of_tuples,
    # The names of members are strings in a JSON Schema, whatever they stand for.
    corpus.a_dict_by_number,
    corpus.a_careless_holder,
    corpus.a_json_text,
    corpus.a_complex_number,
}
VALUES: list[tuple["Task[..., Any]", Any]] = [
    *((task, value) for task, values in GOOD_VALUES for value in values),
    *((task, value) for task, value, _ in BAD_VALUES),
]


@cache
def published(task: "Task[..., Any]") -> Validator:
    return Draft202012Validator(arguments_of(task).schema)


@cache
def precise(task: "Task[..., Any]") -> Validator:
    """Return the schema with what is left out of the published one for the sake of generators."""
    hint = typing.get_type_hints(task.func, include_extras=True).get("value", Any)
    return Draft202012Validator(PreciseSchema().generate(strict_schema(core_schema_of(hint))))


def passes(task: "Task[..., Any]", value: Any) -> bool:
    try:
        arguments_of(task).check([], {"value": value})
    except InvalidArguments:
        return False
    return True


@cache
def says_all(task: "Task[..., Any]") -> bool:
    """Say whether JSON Schema has words for the whole hint: formats are notes to it."""
    if task in WITHOUT_A_WORD:
        return False
    return {node.get("format", "int64") for node in nodes(precise(task).schema)} == {"int64"}


@st.composite
def near_values(draw: st.DrawFn) -> tuple["Task[..., Any]", Any]:
    """Draw a value that fits its hint or nearly does, with one place of it changed."""
    task, value = draw(st.sampled_from(VALUES))
    return task, draw(changed(json.loads(json.dumps(value))))


def changed(value: Any) -> st.SearchStrategy[Any]:
    whole = st.just(value) | JSON
    if isinstance(value, list) and value:
        return whole | st.integers(0, len(value) - 1).flatmap(
            lambda index: (
                changed(value[index]).map(lambda new: [*value[:index], new, *value[index + 1 :]])
                | st.just(value[:index] + value[index + 1 :])
            )
        )
    if isinstance(value, dict) and value:
        return whole | st.sampled_from(sorted(value)).flatmap(
            lambda name: (
                changed(value[name]).map(lambda new: {**value, name: new})
                | st.just({key: value[key] for key in value if key != name})
                | JSON.map(lambda new: {**value, "more": new})
            )
        )
    return whole


def holds(value: Any, is_it: typing.Callable[[Any], bool]) -> bool:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return is_it(value) or any(holds(each, is_it) for each in within)


def is_large_float(value: Any) -> bool:
    """Say whether this is `1e300`, an integer to JSON Schema and several ones to a float."""
    return type(value) is float and abs(value) > 2**53


def is_beyond_a_double(value: Any) -> bool:
    return type(value) is int and abs(value) > 10**308


def has_repeated_entries(value: Any) -> bool:
    """Say whether these are entries that a set of Python's takes twice, and a JSON Schema does not."""
    texts = [json.dumps(each, sort_keys=True) for each in value] if isinstance(value, list) else []
    return len(set(texts)) < len(texts)


@given(near_values())
def test_what_passes_the_check_fits_the_published_schema(drawn: tuple[Any, Any]) -> None:
    task, value = drawn
    if passes(task, value) and not holds(value, has_repeated_entries):
        assert published(task).is_valid({"kwargs": {"value": value}})


@given(near_values())
def test_what_fits_the_schema_passes_the_check(drawn: tuple[Any, Any]) -> None:
    task, value = drawn
    if holds(value, is_large_float) or holds(value, is_beyond_a_double) or not says_all(task):
        return
    if precise(task).is_valid(value):
        assert passes(task, value)


# What pydantic may find in a hint, and what the check does with it.
LOOKED_AT = {
    "is refused, for no JSON is one": "callable is-instance is-subclass invalid ellipsis",
    "is never converted": "int float bool str",
    "takes one format": "date datetime time timedelta uuid decimal fraction complex",
    "tells lookalikes apart": "literal enum",
    "refuses unknown members": "model dataclass typed-dict",
    "is an array alone": "named-tuple generator",
    "is told as one label": "union",
    "takes its JSON form alone": "json-or-python lax-or-strict",
    "is left as it is": (
        "any none bytes url multi-host-url json missing-sentinel"
        " list deque tuple set frozenset dict frozendict ordered-dict counter"
        " function-after function-before function-wrap function-plain custom-error"
        " default nullable tagged-union chain model-fields dataclass-args arguments arguments-v3 call"
        " definitions definition-ref"
    ),
}


def test_every_kind_of_schema_that_pydantic_has_was_looked_at() -> None:
    """
    Fail when pydantic gains a kind of schema: see what of it JSON needs to be made strict.

    Look at `_stricter` in strict_schema.py, at `NOT_SCHEMAS`, `_WITHOUT_JSON_FORM` and `_RECEIVED`
    in core_schemas.py, and at `_RETURNABLE` in hint_json_schema.py; then raise pyproject's bound.
    """
    looked_at = {kind for kinds in LOOKED_AT.values() for kind in kinds.split()}

    assert set(typing.get_args(core_schema.CoreSchemaType)) == looked_at


@pytest.mark.parametrize("name", ["model", "dataclass", "typed-dict"])
def test_nothing_that_pydantic_built_is_changed(name: str) -> None:
    hint = {"model": corpus.Item, "dataclass": corpus.Point, "typed-dict": corpus.Address}[name]
    before = core_schema_of(hint)
    shown = re.sub("0x[0-9a-f]+", "", repr(before))
    strict_schema(before)

    assert re.sub("0x[0-9a-f]+", "", repr(core_schema_of(hint))) == shown
    assert Arguments.of(corpus.a_model).schema == arguments_of(corpus.a_model).schema
