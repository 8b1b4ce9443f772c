import dataclasses
import json
import sys
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest
from django.tasks import Task
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tasks_api.arguments import Arguments, UnservableSignature
from tasks_api.arguments.hint_json_schema import with_refs
from tasks_api.faults import Fault
from tasks_api.problems import InvalidArguments
from tests.arguments import signatures_corpus as corpus
from tests.arguments import signatures_corpus_of_strings as corpus_of_strings
from tests.json_values import SCALARS

# It does not depend on the database.
pytestmark = pytest.mark.sqlite

UNSERVABLE = {"with_required_keyword_self"}
WITHOUT_EXAMPLE = {
    "with_a_pattern",
    "with_many_items",
    "with_a_long_text",
    "with_members",
    "with_untellable_alternatives",
    "with_a_strange_schema",
    "with_two_types",
    "a_picky_model",
    "a_complex_number",
    "a_json_text",
    "a_date_of_somebodys_parser",
    "an_enum_of_somebodys_parser",
}
TASKS = {
    f"{module.__name__}.{name}": task
    for module in (corpus, corpus_of_strings)
    for name, task in vars(module).items()
    if isinstance(task, Task) and name not in UNSERVABLE
}


@cache
def arguments_of(task) -> Arguments:
    return Arguments.of(task)


def faults(task, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
    """Return the pointer and code of each fault of a call, in order."""
    try:
        arguments_of(task).check(list(args), kwargs)
    except InvalidArguments as problem:
        return [(fault.pointer, fault.code) for fault in problem.faults]
    return []


def faults_of_value(task, value: Any) -> list[tuple[str, str]]:
    """Return the faults of the one argument `value`, the pointers relative to it."""
    return [
        (pointer.removeprefix("/kwargs/value"), code) for pointer, code in faults(task, value=value)
    ]


def kwargs_schema(task) -> dict[str, Any]:
    return arguments_of(task).schema["properties"]["kwargs"]


def value_schema(task) -> dict[str, Any]:
    return kwargs_schema(task)["properties"]["value"]


# Binding.


def test_a_function_without_parameters_takes_the_empty_call_alone():
    assert faults(corpus.nothing) == []
    assert faults(corpus.nothing, 1, x=2) == [
        ("/args", "too_long"),
        ("/kwargs/x", "unknown_member"),
    ]


@pytest.mark.parametrize(
    ("task", "args", "kwargs"),
    [
        (corpus.positional_only, [1], {}),
        (corpus.positional_only, [1, "two"], {}),
        (corpus.positional_only_then_named, [1, "two"], {}),
        (corpus.positional_only_then_named, [1], {"second": "two"}),
        (corpus.keyword_only, [], {"name": "Ada"}),
        (corpus.keyword_only, [], {"name": "Ada", "times": 3}),
        (corpus.defaults, [1], {}),
        (corpus.defaults, [], {"user_id": 1, "note": ""}),
        (corpus.any_positional, [], {}),
        (corpus.any_positional, [1, 2, 3], {}),
        (corpus.named_then_any_positional, [1, 2, 3, 4], {}),
        (corpus.named_then_any_positional, [], {"first": 1}),
        (corpus.any_keyword, [], {"a": "x", "b/c~d": "y"}),
        (corpus.anything_at_all, [1, None, {}], {"args": 1, "kwargs": [2]}),
        (corpus.positional_only_and_any_keyword, ["a"], {"name": 1}),
        (corpus.with_context, [], {"name": "Ada"}),
        (corpus.with_context, ["Ada"], {}),
        (corpus.with_context_and_any_keyword, [], {"name": "Ada"}),
        (corpus.context_of_its_own, [], {"context": "mine"}),
        (corpus.with_self, ["me"], {"name": "Ada"}),
        (corpus.with_self, ["me", "Ada"], {}),
        (corpus.with_self_last, ["Ada", 1], {}),
        (corpus.with_optional_self, [], {"name": "Ada"}),
        (corpus.with_optional_self, ["Ada", 1], {}),
        (corpus.with_optional_keyword_self, [], {}),
        (corpus.leading_underscores, [], {"_hidden": 1, "__very": "x"}),
        (corpus.asynchronous, [], {"seconds": 1}),
        (corpus.decorated, [1], {}),
        (corpus.an_unpacked_tuple, [1, "two"], {}),
        (corpus.an_unpacked_typed_dict, [1], {"name": "Ada"}),
        (corpus.an_unpacked_typed_dict, [], {"first": 1, "name": "Ada", "colour": "red"}),
        (corpus.parameters_of_another, [1], {"a": 2}),
        (corpus.type_variable_tuple, [1, "two"], {}),
        (corpus_of_strings.unpacked_tuple, [1, 2], {}),
        (corpus_of_strings.unpacked_typed_dict, [], {"count": 1}),
        (corpus_of_strings.unpacked_typed_dict, [], {}),
        (corpus_of_strings.unpacked_with_qualifiers, [], {"count": 1}),
    ],
)
def test_a_call_that_fits_passes(task, args, kwargs):
    assert faults(task, *args, **kwargs) == []


@pytest.mark.parametrize(
    ("task", "args", "kwargs", "expected"),
    [
        (
            corpus.positional_only,
            [],
            {"first": 1},
            [
                ("/kwargs/first", "unknown_member"),
                ("/args/0", "missing"),
            ],
        ),
        (corpus.positional_only, [1, 2], {}, [("/args/1", "string_type")]),
        (
            corpus.positional_only_then_named,
            [],
            {},
            [
                ("/args/0", "missing"),
                ("/kwargs/second", "missing"),
            ],
        ),
        (
            corpus.keyword_only,
            ["Ada"],
            {},
            [
                ("/args", "too_long"),
                ("/kwargs/name", "missing"),
            ],
        ),
        (corpus.defaults, [1], {"user_id": 1}, [("/kwargs/user_id", "multiple_values")]),
        # A default says nothing about what may be sent.
        (corpus.defaults, [1], {"strange": None}, [("/kwargs/strange", "integer_type")]),
        (
            corpus.any_positional,
            [1, "2", 3, True],
            {},
            [("/args/1", "integer_type"), ("/args/3", "integer_type")],
        ),
        (corpus.named_then_any_positional, [1, 2, 3, "4"], {}, [("/args/3", "integer_type")]),
        (
            corpus.named_then_any_positional,
            [1],
            {"rest": []},
            [("/kwargs/rest", "unknown_member")],
        ),
        (corpus.any_keyword, [], {"a/b": 1}, [("/kwargs/a~1b", "string_type")]),
        (
            corpus.positional_only_and_any_keyword,
            ["a"],
            {"name": "x"},
            [("/kwargs/name", "integer_type")],
        ),
        (corpus.with_context, ["Ada", "more"], {}, [("/args", "too_long")]),
        (
            corpus.with_context,
            [],
            {"context": 1, "name": ""},
            [("/kwargs/context", "unknown_member")],
        ),
        (
            corpus.with_context_and_any_keyword,
            [],
            {"context": 1},
            [("/kwargs/context", "unknown_member")],
        ),
        (
            corpus.with_self,
            [],
            {"self": 1, "name": "Ada"},
            [
                ("/kwargs/self", "unknown_member"),
                ("/args/0", "missing"),
            ],
        ),
        (
            corpus.with_optional_keyword_self,
            [],
            {"self": 1},
            [("/kwargs/self", "unknown_member")],
        ),
        (
            corpus.anything_at_all,
            [],
            {"self": 1},
            [("/kwargs/self", "unknown_member")],
        ),
        (corpus.leading_underscores, [], {}, [("/kwargs/_hidden", "missing")]),
        (corpus.decorated, ["1"], {}, [("/args/0", "integer_type")]),
        (corpus.an_unpacked_tuple, [1], {}, [("/args/1", "missing")]),
        (corpus.an_unpacked_tuple, [1, 2], {}, [("/args/1", "string_type")]),
        (
            corpus.an_unpacked_typed_dict,
            [1],
            {"colour": "blue", "size": 1},
            [
                ("/kwargs/colour", "enum"),
                ("/kwargs/size", "unknown_member"),
                ("/kwargs/name", "missing"),
            ],
        ),
        (corpus_of_strings.unpacked_tuple, [1, "2"], {}, [("/args/1", "integer_type")]),
        (
            corpus_of_strings.unpacked_typed_dict,
            [],
            {"count": "1"},
            [("/kwargs/count", "integer_type")],
        ),
        (
            corpus_of_strings.unpacked_with_qualifiers,
            [],
            {"note": 1},
            [("/kwargs/note", "string_type"), ("/kwargs/count", "missing")],
        ),
    ],
)
def test_each_fault_of_a_call_is_told_with_pointer_and_code(task, args, kwargs, expected):
    assert sorted(faults(task, *args, **kwargs)) == sorted(expected)


ALL_REQUIRED = ["count", "required", "read_only", "also_read_only", "annotated"]


def test_qualifiers_in_strings_hold_wherever_a_typed_dict_is():
    members = dict.fromkeys(ALL_REQUIRED, 1)
    unpacked, nested = (
        corpus_of_strings.unpacked_with_inherited_qualifiers,
        corpus_of_strings.nested_with_qualifiers,
    )

    assert faults(unpacked, **members) == []
    assert faults(nested, value=[members]) == []
    assert faults(unpacked, note="x", optional=2, **members) == []
    assert faults(nested, value=[{"note": "x", "optional": 2, **members}]) == []
    assert faults(unpacked) == [(f"/kwargs/{name}", "missing") for name in ALL_REQUIRED]
    assert faults(nested, value=[{}]) == [
        (f"/kwargs/value/0/{name}", "missing") for name in ALL_REQUIRED
    ]
    assert kwargs_schema(unpacked)["required"] == ALL_REQUIRED
    assert faults(unpacked, **{**members, "annotated": 0, "read_only": "1"}) == [
        ("/kwargs/read_only", "integer_type"),
        ("/kwargs/annotated", "out_of_range"),
    ]


def test_the_members_of_a_generic_typed_dict_are_checked():
    task = corpus_of_strings.unpacked_generic

    assert faults(task, one=1, many=[2]) == []
    assert faults(task, one="1", many=["2"]) == [
        ("/kwargs/one", "integer_type"),
        ("/kwargs/many/0", "integer_type"),
    ]


def test_a_required_keyword_called_self_cannot_be_served():
    with pytest.raises(UnservableSignature, match="`self`"):
        Arguments.of(corpus.with_required_keyword_self)


def test_a_function_without_a_signature_cannot_be_served():
    unknown = dataclasses.replace(corpus.nothing)
    broken = type("Broken", (), {"__signature__": "none", "__call__": lambda self: None})()
    object.__setattr__(unknown, "func", broken)

    with pytest.raises(UnservableSignature, match="signature"):
        Arguments.of(unknown)


# Values.

GOOD_VALUES = [
    (corpus.unhinted, [None, 1, "x", [1, {"a": None}]]),
    (corpus.anything, [None, True, 1.5, [1, "x"], {"a": [{}]}]),
    (corpus.an_object, [None, 1, "x", {}]),
    (corpus.a_bool, [True, False]),
    (corpus.an_int, [0, -1, 2**64, 10**4299]),
    (corpus.a_float, [1, 1.5, -0.0, 1e22, 10**300]),
    (corpus.a_str, ["", "é", "12"]),
    (corpus.a_none, [None]),
    (corpus.literal_one, [1]),
    (corpus.literal_true, [True]),
    (corpus.literals, ["fast", "slow", 1, None]),
    (corpus.an_optional, [None, 1]),
    (corpus.an_old_union, [1, "1"]),
    (corpus.a_union, [1, None, [], ["x"]]),
    (corpus.a_union_with_formats, ["2026-11-22T09:00:00Z", "now", True]),
    (corpus.a_bare_list, [[], [1, "x"]]),
    (corpus.a_list, [[], [1, 2]]),
    (corpus.a_nested_list, [[[1], []]]),
    (corpus.a_sequence, [[1]]),
    (corpus.an_iterable, [[1], []]),
    (corpus.a_tuple, [[1, "x"]]),
    (corpus.an_empty_tuple, [[]]),
    (corpus.a_long_tuple, [[], [1, 2, 3]]),
    (corpus.a_set, [[1, 2], [1, 1]]),
    (corpus.a_bare_dict, [{}, {"a": 1}]),
    (corpus.a_dict, [{}, {"a": 1}]),
    (corpus.a_dict_by_number, [{"1": "x"}]),
    (corpus.a_mapping, [{"a": [1]}]),
    (corpus.an_enum, ["red", "green"]),
    (corpus.an_int_enum, [1, 2]),
    (corpus.a_str_enum, ["s"]),
    (corpus.a_literal_of_an_enum, ["red"]),
    (corpus.a_typed_dict, [{"street": "x"}, {"street": "x", "number": 1}]),
    (corpus.a_nested_typed_dict, [{"name": "x", "address": {"street": "y"}}]),
    (corpus.an_open_typed_dict, [{"name": "x", "more": 1}]),
    (corpus.a_dataclass, [{"x": 1}, {"x": 1, "y": 2.5}]),
    (corpus.a_nested_dataclass, [{"start": {"x": 1}, "end": {"x": 2}}]),
    (corpus.a_pydantic_dataclass, [{"x": 1}]),
    (corpus.a_named_tuple, [[1], [1, "x"]]),
    (corpus.a_model, [{"items": [{"name": "x"}], "note": None}]),
    (corpus.an_open_model, [{"name": "x", "more": 1}]),
    (corpus.an_open_holder, [{"point": {"x": 1, "more": 2}, "more": 1}]),
    (corpus.an_ignoring_typed_dict, [{"name": "x", "more": 1}]),
    (corpus.an_ignoring_dataclass, [{"x": 1, "more": 1}]),
    (corpus.a_typed_dict_of_reserved_names, [{"type": "model", "metadata": 1, "function": 2}]),
    (corpus.a_careless_holder, [{"item": {"name": "x"}, "sizes": {"1": 1.5}}]),
    (corpus.a_union_told_apart_by_a_function, [{"kind": "cat", "lives": 9}]),
    (corpus.a_dict_by_date, [{"2026-11-22": 1}]),
    (corpus.a_dict_by_enum, [{"red": 1}]),
    (corpus.a_short_list, [[1], [1, 2]]),
    (corpus.a_short_text, ["ab", "abc"]),
    (corpus.an_even_number, [2, 0]),
    (corpus.a_small_decimal, ["1.23"]),
    (corpus.a_past_date, ["2020-11-22"]),
    (corpus.a_fraction, ["1/3", "2"]),
    (corpus.a_complex_number, ["1+2j"]),
    (corpus.a_json_text, ["1"]),
    (corpus.a_careless_model, [{"quantity": 1, "more": 1}]),
    (corpus.an_aliased_model, [{"class": "x"}]),
    (corpus.a_recursive_model, [{"value": 1, "next": {"value": 2, "next": None}}]),
    (corpus.a_root_model, [["x"]]),
    (corpus.a_tagged_union, [{"kind": "cat", "lives": 9}, {"kind": "dog", "tricks": []}]),
    (corpus.a_generic_model, [{"results": [{"name": "x"}]}]),
    (corpus.a_picky_model, [{"value": "good"}]),
    (corpus.a_strict_model, [{"at": "2026-11-22T09:00:00Z", "tags": ["x"]}]),
    (corpus.a_model_with_validators, [{"at": "2026-11-22T09:00:00Z", "ids": [], "tags": ["x"]}]),
    (
        corpus.a_datetime,
        ["2026-11-22T09:00:00Z", "2026-11-22T09:00:00.123+01:00", "2026-11-22 09:00Z"],
    ),
    (corpus.an_aware_datetime, ["2026-11-22T09:00:00Z"]),
    (corpus.a_naive_datetime, ["2026-11-22T09:00:00"]),
    (corpus.a_date, ["2026-11-22"]),
    (corpus.a_time, ["09:00", "09:00:00.5Z"]),
    (corpus.a_timedelta, ["PT30M", "P1DT2H", "-P1D"]),
    (corpus.a_uuid, ["7b0e2f6c-3c1d-4f5a-9a8e-2d4c6b8f0a12"]),
    (corpus.a_decimal, ["1.50", "-3", "1e5"]),
    (corpus.some_bytes, ["x"]),
    (corpus.a_path, ["/tmp/x"]),  # noqa: S108
    (corpus.an_ip_address, ["192.0.2.1"]),
    (corpus.a_url, ["https://example.com/"]),
    (corpus.at_least_one, [1, 10**30]),
    (corpus.with_a_pattern, ["2026-11"]),
    (corpus.a_new_type, [1]),
    (corpus.an_alias, [["x"]]),
    (corpus.a_type_alias, [[[1, 2.5]]]),
    (corpus.a_recursive_alias, [1, [1, [2, []]]]),
    (corpus.a_generic_alias, [{"a": 1}]),
    (corpus.a_callable, []),
    (corpus.a_counter, [{"a": 1}]),
    (corpus.nonsense, [1, "x"]),
    (corpus.no_type_at_all, [1, "x"]),
    (corpus.an_enum_of_tuples, [[1, 2], "x"]),
]


@pytest.mark.parametrize(
    ("task", "value"), [(task, value) for task, values in GOOD_VALUES for value in values]
)
def test_a_value_that_agrees_with_its_hint_passes_and_stays_as_it_is(task, value):
    before = json.dumps(value)

    assert faults_of_value(task, value) == []
    assert json.dumps(value) == before


BAD_VALUES = [
    (corpus.a_bool, 1, [("", "boolean_type")]),
    (corpus.a_bool, "true", [("", "boolean_type")]),
    (corpus.an_int, "12", [("", "integer_type")]),
    (corpus.an_int, True, [("", "integer_type")]),
    (corpus.an_int, None, [("", "integer_type")]),
    (corpus.an_int, 1.5, [("", "integer_type")]),
    (corpus.an_int, 1e300, [("", "integer_type")]),
    (corpus.an_int, 2.0**53 + 2, [("", "integer_type")]),
    (corpus.literal_one, 2.0, [("", "enum")]),
    (corpus.literal_true, 1.0, [("", "enum")]),
    (corpus.an_int_enum, 3.0, [("", "enum")]),
    (corpus.at_least_one, 0.0, [("", "out_of_range")]),
    # What can be an integer is one; what else is wrong is told alone.
    (corpus.a_list, [1.0, "2", 3.5], [("/1", "integer_type"), ("/2", "integer_type")]),
    (corpus.a_float, "1.5", [("", "number_type")]),
    (corpus.a_float, True, [("", "number_type")]),
    (corpus.a_float, 10**400, [("", "number_too_large")]),
    (corpus.a_str, 1, [("", "string_type")]),
    (corpus.a_none, 0, [("", "null_type")]),
    (corpus.literal_one, True, [("", "enum")]),
    (corpus.literal_one, "1", [("", "enum")]),
    (corpus.literal_one, [1], [("", "enum")]),
    (corpus.literal_true, 1, [("", "enum")]),
    (corpus.literals, True, [("", "enum")]),
    (corpus.an_optional, "1", [("", "integer_type")]),
    (corpus.an_old_union, True, [("", "integer_type"), ("", "string_type")]),
    (corpus.a_union, [1], [("", "integer_type"), ("/0", "string_type")]),
    (
        corpus.a_union_with_formats,
        "1700000000",
        [("", "date_time"), ("", "boolean_type"), ("", "enum")],
    ),
    # The label that pydantic gives a union's member is no member of the value.
    (corpus.an_ambiguous_union, {"int": 1}, [("", "integer_type"), ("/int", "string_type")]),
    (corpus.a_bare_list, {}, [("", "array_type")]),
    (corpus.a_list, [1, "2", True], [("/1", "integer_type"), ("/2", "integer_type")]),
    (corpus.a_list, "12", [("", "array_type")]),
    (corpus.a_nested_list, [[1], ["x"]], [("/1/0", "integer_type")]),
    (corpus.a_sequence, ["x"], [("/0", "integer_type")]),
    (corpus.a_sequence, "x", [("", "array_type")]),
    (corpus.an_iterable, ["x"], [("/0", "integer_type")]),
    (corpus.an_iterable, "x", [("", "array_type")]),
    (corpus.a_tuple, [1], [("/1", "missing")]),
    (corpus.a_tuple, [1, "x", 2], [("", "too_long")]),
    (corpus.a_tuple, {"0": 1}, [("", "array_type")]),
    (corpus.an_empty_tuple, [1], [("", "too_long")]),
    (corpus.a_long_tuple, [1, "x"], [("/1", "integer_type")]),
    (corpus.a_set, ["1"], [("/0", "integer_type")]),
    (corpus.a_dict, [], [("", "object_type")]),
    (corpus.a_dict, {"a": "1"}, [("/a", "integer_type")]),
    (corpus.a_dict, {"a/b~": True}, [("/a~1b~0", "integer_type")]),
    (corpus.a_dict_by_number, {"x": "y"}, [("/x", "integer_type")]),
    # Two names of one number would leave the function with one member of the two.
    (corpus.a_dict_by_number, {"1.0": "y"}, [("/1.0", "integer_type")]),
    (corpus.a_dict_by_number, {"+1": "y"}, [("/+1", "integer_type")]),
    (corpus.a_dict_by_number, {"01": "y"}, [("/01", "integer_type")]),
    (corpus.a_mapping, {"a": ["x"]}, [("/a/0", "integer_type")]),
    (corpus.an_enum, "RED", [("", "enum")]),
    (corpus.an_int_enum, True, [("", "enum")]),
    (corpus.an_int_enum, "1", [("", "enum")]),
    (corpus.a_str_enum, "SMALL", [("", "enum")]),
    (corpus.a_literal_of_an_enum, "RED", [("", "enum")]),
    (corpus.a_typed_dict, {}, [("/street", "missing")]),
    (corpus.a_typed_dict, {"street": "x", "more": 1}, [("/more", "unknown_member")]),
    (corpus.a_typed_dict, {"street": "x", "number": None}, [("/number", "integer_type")]),
    (
        corpus.a_nested_typed_dict,
        {"address": {"street": 1, "x": 2}},
        [
            ("/name", "missing"),
            ("/address/street", "string_type"),
            ("/address/x", "unknown_member"),
        ],
    ),
    (corpus.a_dataclass, {"x": "1"}, [("/x", "number_type")]),
    (corpus.a_dataclass, {"x": 1, "z": 1}, [("/z", "unknown_member")]),
    (corpus.a_dataclass, [1], [("", "object_type")]),
    (
        corpus.a_nested_dataclass,
        {"start": {"x": 1, "z": 1}},
        [("/start/z", "unknown_member"), ("/end", "missing")],
    ),
    (corpus.a_pydantic_dataclass, {"x": 1, "y": 1}, [("/y", "unknown_member")]),
    (corpus.a_named_tuple, ["x"], [("/0", "integer_type")]),
    (corpus.a_named_tuple, {"left": 1}, [("", "array_type")]),
    (
        corpus.a_model,
        {"items": [{"name": "x"}, {"quantity": 0, "colour": 1}], "_hidden": 1},
        [
            ("/items/1/name", "missing"),
            ("/items/1/quantity", "out_of_range"),
            ("/items/1/colour", "unknown_member"),
            ("/_hidden", "unknown_member"),
        ],
    ),
    (corpus.a_careless_model, {"quantity": "1"}, [("/quantity", "integer_type")]),
    (
        corpus.an_aliased_model,
        {"class_name": "x"},
        [("/class", "missing"), ("/class_name", "unknown_member")],
    ),
    (
        corpus.a_recursive_model,
        {"value": 1, "next": {"value": "2", "next": None}},
        [("/next/value", "integer_type")],
    ),
    (corpus.a_root_model, ["x", 1], [("/1", "string_type")]),
    (corpus.a_tagged_union, {"kind": "cow"}, [("/kind", "enum")]),
    (
        corpus.an_untagged_union,
        {},
        [("/kind", "missing"), ("/lives", "missing"), ("/tricks", "missing")],
    ),
    (corpus.a_tagged_union, {}, [("/kind", "missing")]),
    (corpus.a_tagged_union, {"kind": "cat", "lives": "9"}, [("/lives", "integer_type")]),
    (corpus.a_tagged_union, [], [("", "object_type")]),
    (corpus.a_union_told_apart_by_a_function, {"kind": "cow"}, [("", "enum")]),
    (corpus.a_union_told_apart_by_a_function, {}, [("", "enum")]),
    (
        corpus.a_typed_dict_of_reserved_names,
        {"type": "x", "metadata": "1", "config": True},
        [("/type", "enum"), ("/metadata", "integer_type"), ("/config", "integer_type")],
    ),
    # What a class says of strictness, the check is stricter.
    (
        corpus.a_careless_holder,
        {"item": {"name": "x", "quantity": "1"}, "sizes": {"1": "1.5", "x": 1}, "more": 1},
        [
            ("/item/quantity", "integer_type"),
            ("/sizes/1", "number_type"),
            ("/sizes/x", "integer_type"),
            ("/more", "unknown_member"),
        ],
    ),
    (corpus.a_dict_by_date, {"0": 1}, [("/0", "date")]),
    (corpus.a_dict_by_enum, {"RED": 1}, [("/RED", "enum")]),
    (corpus.a_short_list, [], [("", "too_short")]),
    (corpus.a_short_list, [1, 2, 3], [("", "too_long")]),
    (corpus.a_short_text, "a", [("", "string_too_short")]),
    (corpus.a_short_text, "abcd", [("", "string_too_long")]),
    (corpus.an_even_number, 3, [("", "multiple_of")]),
    (corpus.a_small_decimal, "1234", [("", "decimal")]),
    (corpus.a_past_date, "2999-11-22", [("", "out_of_range")]),
    (corpus.a_fraction, 0.5, [("", "fraction")]),
    (corpus.a_fraction, True, [("", "fraction")]),
    (corpus.a_complex_number, 1, [("", "complex")]),
    (corpus.a_json_text, "x", [("", "json")]),
    (corpus.a_json_text, '"1"', [("", "integer_type")]),
    (corpus.a_generic_model, {"results": [{}]}, [("/results/0/name", "missing")]),
    (
        corpus.a_strict_model,
        {"at": 1, "tags": [1]},
        [("/at", "date_time"), ("/tags/0", "string_type")],
    ),
    (corpus.a_datetime, 1700000000, [("", "date_time")]),
    (corpus.a_datetime, "1700000000", [("", "date_time")]),
    (corpus.a_datetime, "2026-11-22", [("", "date_time")]),
    (corpus.a_datetime, "2026-13-22T09:00:00Z", [("", "date_time")]),
    # An RFC 3339 date-time has an offset.
    (corpus.a_datetime, "2026-11-22T09:00:00", [("", "date_time")]),
    (corpus.a_list_of_datetimes, ["2026-11-22T09:00:00"], [("/0", "date_time")]),
    (corpus.a_dict_by_datetime, {"2026-11-22T09:00": 1}, [("/2026-11-22T09:00", "date_time")]),
    (corpus.an_aware_datetime, "2026-11-22T09:00:00", [("", "date_time")]),
    (corpus.a_naive_datetime, "2026-11-22T09:00:00Z", [("", "date_time")]),
    (corpus.a_date, "0", [("", "date")]),
    (corpus.a_date, "2026-11-22T00:00:00", [("", "date")]),
    (corpus.a_date, 0, [("", "date")]),
    (corpus.a_time, "3600", [("", "time")]),
    (corpus.a_time, 3600, [("", "time")]),
    (corpus.a_timedelta, "00:10", [("", "duration")]),
    (corpus.a_timedelta, 3600, [("", "duration")]),
    (corpus.a_timedelta, 1.5, [("", "duration")]),
    (corpus.a_uuid, "7b0e2f6c3c1d4f5a9a8e2d4c6b8f0a12", [("", "uuid")]),
    (corpus.a_uuid, "zzz", [("", "uuid")]),
    (corpus.a_uuid, 1, [("", "uuid")]),
    (corpus.a_decimal, 1.5, [("", "decimal")]),
    (corpus.a_decimal, True, [("", "decimal")]),
    (corpus.a_decimal, "NaN", [("", "decimal")]),
    (corpus.a_decimal, " 1 ", [("", "decimal")]),
    (corpus.a_decimal, "1_000", [("", "decimal")]),
    (corpus.some_bytes, 1, [("", "string_type")]),
    (corpus.a_path, 1, [("", "string_type")]),
    (corpus.an_ip_address, 1, [("", "string_type")]),
    (corpus.an_ip_address, "here", [("", "value_error")]),
    (corpus.a_url, "here", [("", "url")]),
    (corpus.at_least_one, 0, [("", "out_of_range")]),
    (corpus.with_a_pattern, "x", [("", "string_pattern")]),
    (corpus.a_new_type, "1", [("", "integer_type")]),
    (corpus.an_alias, [1], [("/0", "string_type")]),
    (corpus.a_type_alias, [["x"]], [("/0/0", "number_type")]),
    (
        corpus.a_recursive_alias,
        [1, ["x"]],
        [
            ("", "integer_type"),
            ("/1", "integer_type"),
            ("/1/0", "integer_type"),
            ("/1/0", "array_type"),
        ],
    ),
    (corpus.a_generic_alias, {"a": "x"}, [("/a", "integer_type")]),
    (corpus.a_counter, {"a": "x"}, [("/a", "integer_type")]),
]


@pytest.mark.parametrize(("task", "value", "expected"), BAD_VALUES)
def test_a_value_that_disagrees_with_its_hint_is_refused(task, value, expected):
    assert faults_of_value(task, value) == expected


@pytest.mark.parametrize(
    ("task", "sent", "stored"),
    [
        (corpus.an_int, "1.0", "1"),
        (corpus.an_int, "1e2", "100"),
        (corpus.an_int, "-0.0", "0"),
        (corpus.an_int, "9007199254740992.0", "9007199254740992"),
        (corpus.an_optional, "1.0", "1"),
        (corpus.an_old_union, "1.0", "1"),
        (corpus.literal_one, "1.0", "1"),
        (corpus.literals, "1.0", "1"),
        (corpus.an_int_enum, "2.0", "2"),
        (corpus.a_list, "[1.0, 2, 3e0]", "[1, 2, 3]"),
        (corpus.a_set, "[1.0, 2]", "[1, 2]"),
        (corpus.a_dict, '{"a": 1.0}', '{"a": 1}'),
        (corpus.a_union, "1.0", "1"),
        (corpus.a_model, '{"items": [{"name": "x", "quantity": 2.0}]}', None),
        (corpus.a_recursive_alias, "[1.0, [2.0]]", "[1, [2]]"),
        (corpus.a_recursive_model, '{"value": 1.0, "next": {"value": 2.0, "next": null}}', None),
        (corpus.a_tagged_union, '{"kind": "cat", "lives": 9.0}', '{"kind": "cat", "lives": 9}'),
        (corpus.a_union_by_number, '{"version": 1.0, "lives": 9.0}', '{"version": 1, "lives": 9}'),
        (corpus.at_least_one, "1.0", "1"),
        (corpus.an_even_number, "2.0", "2"),
        # These are what their hints say already.
        (corpus.a_float, "1.0", "1.0"),
        (corpus.an_int_or_a_float, "1.0", "1.0"),
        (corpus.anything, "[1.0, 1e2]", "[1.0, 100.0]"),
        (corpus.a_dataclass, '{"x": 1.0}', '{"x": 1.0}'),
        (corpus.an_enum_of_floats, "1", "1"),
        (corpus.an_enum_of_floats, "1.0", "1.0"),
    ],
)
def test_a_whole_number_is_stored_as_one_however_it_is_written(task, sent, stored):
    value = json.loads(sent)
    _, kwargs = arguments_of(task).check([], {"value": value})

    assert json.dumps(kwargs["value"]) == (stored or sent.replace(".0", ""))
    assert json.dumps(value) == json.dumps(json.loads(sent))


def test_whole_numbers_are_stored_as_such_wherever_an_argument_is():
    stored = arguments_of(corpus.named_then_any_positional).check([1.0, 2.0, 3.0, 4.0], {})
    assert json.dumps(stored) == "[[1, 2, 3, 4], {}]"
    stored = arguments_of(corpus.positional_only_and_any_keyword).check(["a"], {"b": 2.0})
    assert json.dumps(stored) == '[["a"], {"b": 2}]'
    # A number that is a float where another becomes an integer stays one.
    stored = arguments_of(corpus.an_int_and_a_float).check([], {"count": 2.0, "share": 1.0})
    assert json.dumps(stored[1]) == '{"count": 2, "share": 1.0}'


def test_what_somebodys_own_parser_makes_of_a_value_is_taken():
    assert faults_of_value(corpus.a_date_of_somebodys_parser, 2026) == []
    assert faults_of_value(corpus.an_enum_of_somebodys_parser, "RED") == []
    assert faults_of_value(corpus.an_enum_of_somebodys_parser, "red") == [("", "value_error")]


@pytest.mark.parametrize(
    "value",
    [
        "crash",
        "exit",
        "custom",
        "surrogate",
        "unwritable",
        "untellable",
        "namesake",
        "tagged",
        "bad",
    ],
)
def test_whatever_a_models_validator_raises_is_a_fault_that_repeats_nothing(value):
    with pytest.raises(InvalidArguments) as raised:
        arguments_of(corpus.a_picky_model).check([], {"value": {"value": value}})

    [fault] = raised.value.faults
    assert fault.code == "value_error"
    assert fault.pointer in {"/kwargs/value", "/kwargs/value/value"}
    assert value not in fault.detail


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        (corpus.literal_one, "{}"),
        (corpus.literals, "{}"),
        (corpus.an_enum, "{}"),
        (corpus.a_uuid, "{}"),
        (corpus.a_datetime, "{}"),
        (corpus.a_date, "{}"),
        (corpus.a_url, "{}"),
        (corpus.a_decimal, "{}"),
        (corpus.an_ip_address, "{}"),
        (corpus.a_path_like_union, "{}"),
        (corpus.a_tagged_union, {"kind": "{}"}),
        (corpus.a_picky_model, {"value": "{}"}),
        (corpus.an_aware_datetime, "{}"),
        (corpus.with_a_pattern, "{}"),
        (corpus.a_model, {"items": "{}", "{}": 1}),
    ],
)
def test_the_detail_of_a_fault_never_repeats_what_was_sent(task, shape):
    secret = "zq7-hunter2"
    value = json.loads(json.dumps(shape).replace("{}", secret)) if shape != "{}" else secret

    with pytest.raises(InvalidArguments) as raised:
        arguments_of(task).check([], {"value": value})

    assert raised.value.faults
    for fault in raised.value.faults:
        assert "zq7" not in fault.detail
        assert "zq7" not in fault.code
        assert "found" not in fault.detail


def test_no_more_than_a_hundred_faults_are_told():
    kwargs = {f"n{number}": number for number in range(300)}

    assert len(faults(corpus.any_keyword, **kwargs)) == 100
    assert len(faults(corpus.any_positional, *["x"] * 1_000)) == 100
    assert len(faults(corpus.nothing, 1, **kwargs)) == 100


@pytest.mark.parametrize(
    ("task", "value", "detail"),
    [
        (corpus.an_int, "1", "Should be a whole number."),
        (
            corpus.an_int,
            1e300,
            "Should be written without a fraction and an exponent, because it is beyond 2^53.",
        ),
        (corpus.a_bool, 1, "Should be true or false."),
        (corpus.a_typed_dict, [], "Should be an object."),
        (corpus.a_set, {}, "Should be an array."),
        (corpus.a_datetime, "2026-11-22T09:00:00", "Should have a UTC offset, such as Z."),
        (corpus.literals, 2, 'Should be "fast" or "slow" or 1 or null.'),
        (corpus.a_tagged_union, {"kind": 1}, 'Should be one of "cat", "dog".'),
        (corpus.at_least_one, 0, "Should be 1 or greater."),
        (corpus.a_short_list, [1, 2, 3], "Should have 2 or fewer entries."),
        (corpus.a_short_text, "a", "Should have 2 or more characters."),
        (corpus.a_dict_by_number, {"x": "y"}, "The member's name should be a whole number."),
        (corpus.a_float, 10**400, "Should be within the range of a double."),
        (corpus.with_a_pattern, "x", r"Should match the pattern `^\d{4}-\d\d$`."),
        (corpus.an_ip_address, "x", "Should pass the validation of its type."),
    ],
)
def test_the_detail_of_a_fault_says_what_would_be_right(task, value, detail):
    with pytest.raises(InvalidArguments) as raised:
        arguments_of(task).check([], {"value": value})

    assert [fault.detail for fault in raised.value.faults] == [detail]


def test_too_many_positional_arguments_are_one_fault_that_says_how_many_fit():
    with pytest.raises(InvalidArguments) as raised:
        arguments_of(corpus.defaults).check(list(range(200)), {})

    assert raised.value.faults[-1] == Fault(
        "too_long", "Should have 3 or fewer entries.", pointer="/args"
    )


def test_a_long_list_is_checked_to_its_end():
    numbers: list[Any] = list(range(100_000))
    assert faults_of_value(corpus.a_list, numbers) == []

    numbers[-1] = "x"
    assert faults_of_value(corpus.a_list, numbers) == [("/99999", "integer_type")]


def test_faults_of_several_arguments_are_told_together():
    assert faults(corpus.defaults, user_id="1", note=2, more=3) == [
        ("/kwargs/user_id", "integer_type"),
        ("/kwargs/note", "string_type"),
        ("/kwargs/more", "unknown_member"),
    ]


# Hints that say nothing.


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (corpus.a_model_instance, "user"),
        (corpus.a_maybe_model_instance, "user"),
        (corpus.a_callable, "function"),
        (corpus.a_class, "kind"),
        (corpus.an_enum_of_tuples, "value"),
        (corpus.an_import, "value"),
        (corpus.an_import_by_name, "value"),
        (corpus.an_odder_type, "value"),
        (corpus.nonsense, "value"),
        (corpus.an_unresolvable_name, "value"),
        (corpus.no_type_at_all, "value"),
        (corpus_of_strings.partly_unresolvable, "thing"),
    ],
)
def test_a_hint_without_json_form_lets_any_value_in_and_warns(task, name):
    arguments = arguments_of(task)

    assert arguments.schema["properties"]["kwargs"]["properties"][name] == {}
    assert any(f"`{name}`" in warning for warning in arguments.warnings)
    rest = {"number": 1} if task is corpus.an_unresolvable_name else {}
    rest |= {"count": 1} if task is corpus_of_strings.partly_unresolvable else {}
    for value in (None, 1, "x", [{}]):
        assert faults(task, **{name: value}, **rest) == []


def test_one_unresolvable_name_does_not_lose_the_other_hints():
    assert faults(corpus.an_unresolvable_name, value=1, number="2") == [
        ("/kwargs/number", "integer_type")
    ]
    assert faults(corpus_of_strings.partly_unresolvable, thing=1, count="2") == [
        ("/kwargs/count", "integer_type")
    ]


def test_the_warning_of_an_unresolvable_hint_says_which_name_is_not_defined():
    (warning,) = arguments_of(corpus_of_strings.partly_unresolvable).warnings

    assert "The hint of `thing` cannot be resolved (name " in warning
    assert " is not defined)" in warning


def test_an_unresolvable_typed_dict_of_keywords_lets_any_keyword_in_and_warns():
    assert faults(corpus_of_strings.unpacked_unresolvable, thing=1, more=2) == []
    assert "`options`" in arguments_of(corpus_of_strings.unpacked_unresolvable).warnings[0]


def test_nothing_that_a_client_sends_is_imported():
    sys.modules.pop("this", None)

    assert faults_of_value(corpus.an_import, "this.s") == []
    assert faults_of_value(corpus.an_import_by_name, {"this.s": 1}) == []
    assert "this" not in sys.modules


def test_forward_references_are_resolved_where_the_function_is_defined():
    order = {"lines": [{"number": 1}]}
    assert faults(corpus_of_strings.forward_reference, order=order) == []
    assert faults(corpus_of_strings.forward_reference, order={"lines": [{"number": "1"}]}) == [
        ("/kwargs/order/lines/0/number", "integer_type")
    ]
    assert faults(corpus_of_strings.optional_forward_reference, [order], 1, "x") == [
        ("/args/2", "integer_type")
    ]


@pytest.mark.parametrize(
    ("task", "received"),
    [
        (corpus.a_datetime, "string"),
        (corpus.a_date, "string"),
        (corpus.a_uuid, "string"),
        (corpus.a_decimal, "string"),
        (corpus.a_timedelta, "string"),
        (corpus.a_url, "string"),
        (corpus.a_union_with_formats, "string"),
        (corpus.a_dataclass, "object"),
        (corpus.a_model, "object"),
        (corpus.a_list_of_models, "object"),
        (corpus.a_dict_by_number, "object"),
        (corpus.an_enum, "value"),
        (corpus.a_str_enum, "value"),
        (corpus.a_literal_of_an_enum, "value"),
        (corpus.a_path, "value"),
        (corpus.a_root_model, "value"),
        (corpus.a_tuple, "array"),
        (corpus.a_set, "array"),
    ],
)
def test_a_warning_says_what_the_function_receives_instead_of_what_its_hint_says(task, received):
    assert f"receives the JSON {received}" in arguments_of(task).warnings[0]


@pytest.mark.parametrize(
    "task",
    [
        corpus.unhinted,
        corpus.anything,
        corpus.an_int,
        corpus.a_list,
        corpus.a_sequence,
        corpus.an_iterable,
        corpus.a_mapping,
        corpus.a_typed_dict,
        corpus.literals,
        corpus.a_type_alias,
        corpus.parameters_of_another,
        corpus.an_unpacked_tuple,
        corpus.returns_text,
    ],
)
def test_a_hint_that_json_keeps_gives_no_warning(task):
    assert arguments_of(task).warnings == ()


@pytest.mark.parametrize(
    "task", [corpus.with_self, corpus.with_self_last, corpus.with_optional_self]
)
def test_a_parameter_called_self_gives_a_warning(task):
    assert any("`self`" in warning for warning in arguments_of(task).warnings)


# Schemas.


def nodes(schema: Any):
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


@pytest.mark.parametrize("name", TASKS)
def test_every_schema_is_valid_self_contained_and_free_of_what_generators_trip_over(name):
    arguments = arguments_of(TASKS[name])

    for schema in (arguments.schema, arguments.return_value or {}):
        Draft202012Validator.check_schema(schema)
        for node in nodes(schema):
            assert "prefixItems" not in node
            assert "default" not in node
            assert node.get("items") is not False
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/$defs/") in schema["$defs"]


@pytest.mark.parametrize("name", TASKS)
def test_every_example_passes_the_check_and_fits_the_schema(name):
    arguments = arguments_of(TASKS[name])

    if name.rpartition(".")[2] in WITHOUT_EXAMPLE:
        assert arguments.example is None
        return
    example = arguments.example
    assert example is not None
    arguments.check(example.get("args", []), example.get("kwargs", {}))
    Draft202012Validator(arguments.schema).validate(example)
    assert Arguments.of(TASKS[name]).example == example


@pytest.mark.parametrize(
    ("task", "value"),
    [
        (task, value)
        for task, values in GOOD_VALUES
        for value in values
        # Python's sets let a value in twice.
        if not (task is corpus.a_set and value == [1, 1])
    ],
)
def test_what_passes_the_check_fits_the_schema(task, value):
    Draft202012Validator(arguments_of(task).schema).validate({"kwargs": {"value": value}})


def test_the_schema_describes_the_call_by_keyword():
    assert arguments_of(corpus.defaults).schema == {
        "type": "object",
        "properties": {
            "kwargs": {
                "type": "object",
                "properties": {
                    "user_id": {"type": "integer", "format": "int64"},
                    "note": {"type": "string"},
                    "strange": {"type": "integer", "format": "int64"},
                },
                "required": ["user_id"],
                "additionalProperties": False,
            }
        },
        "required": ["kwargs"],
        "additionalProperties": False,
    }


def test_what_no_keyword_can_pass_is_described_as_a_plain_array():
    assert arguments_of(corpus.positional_only).schema["properties"]["args"] == {
        "type": "array",
        "items": {},
        "minItems": 1,
        "maxItems": 2,
        "description": "By position: first, second.",
    }
    assert arguments_of(corpus.positional_only).schema["required"] == ["args"]
    assert arguments_of(corpus.any_positional).schema["properties"]["args"] == {
        "type": "array",
        "items": {"type": "integer", "format": "int64"},
        "description": "By position: *numbers.",
    }
    assert arguments_of(corpus.an_unpacked_tuple).schema["properties"]["args"]["items"] == {}
    assert arguments_of(corpus_of_strings.unpacked_tuple).schema["properties"]["args"]["items"] == {
        "type": "integer",
        "format": "int64",
    }
    assert arguments_of(corpus.with_self_last).schema["properties"]["args"]["minItems"] == 2
    assert "args" not in arguments_of(corpus.with_optional_self).schema["properties"]
    assert "args" not in arguments_of(corpus.defaults).schema["properties"]


def test_further_positional_arguments_behind_named_ones_are_left_to_the_prose():
    described = arguments_of(corpus.named_then_any_positional).schema

    assert described["properties"]["kwargs"]["required"] == ["first"]
    assert "args" not in described["properties"]
    assert "`*rest`" in described["properties"]["kwargs"]["description"]


def test_further_keywords_are_described_by_their_hint():
    assert kwargs_schema(corpus.any_keyword)["additionalProperties"] == {"type": "string"}
    assert kwargs_schema(corpus.anything_at_all)["additionalProperties"] is True
    assert kwargs_schema(corpus.nothing)["additionalProperties"] is False


def test_the_context_and_an_optional_self_are_not_described():
    assert list(kwargs_schema(corpus.with_context)["properties"]) == ["name"]
    assert list(kwargs_schema(corpus.with_optional_self)["properties"]) == ["name"]
    assert list(kwargs_schema(corpus.leading_underscores)["properties"]) == ["_hidden", "__very"]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (corpus.unhinted, {}),
        (corpus.a_float, {"type": "number"}),
        (corpus.a_decimal, {"type": "string", "format": "decimal"}),
        (corpus.a_datetime, {"type": "string", "format": "date-time"}),
        (corpus.a_naive_datetime, {"type": "string", "format": "date-time-local"}),
        (corpus.some_bytes, {"type": "string"}),
        (corpus.an_iterable, {"type": "array", "items": {"type": "integer", "format": "int64"}}),
        (corpus.a_tuple, {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}),
        (
            corpus.an_even_tuple,
            {
                "type": "array",
                "items": {"type": "integer", "format": "int64"},
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (corpus.literal_true, {"type": "boolean", "const": True}),
        (corpus.a_literal_of_an_enum, {"type": "string", "const": "red"}),
        (corpus.a_huge_bound, {"type": "integer", "maximum": 2**70}),
    ],
)
def test_a_hint_becomes_its_json_schema(task, expected):
    assert value_schema(task) == expected


def test_a_union_by_numbers_has_no_discriminator():
    assert list(value_schema(corpus.a_union_by_number)) == ["oneOf"]
    assert "discriminator" in value_schema(corpus.a_tagged_union)


def test_definitions_bear_the_qualified_names_of_their_classes():
    ours = arguments_of(corpus.a_model).schema
    theirs = arguments_of(corpus_of_strings.forward_reference).schema

    assert set(ours["$defs"]) == {
        "tests.arguments.signatures_corpus.Item",
        "tests.arguments.signatures_corpus.Order",
    }
    assert "tests.arguments.signatures_corpus_of_strings.Order" in theirs["$defs"]
    assert (
        "tests.arguments.signatures_corpus.Page_Item"
        in arguments_of(corpus.a_generic_model).schema["$defs"]
    )


def test_two_classes_of_one_bare_name_stay_apart_in_one_schema():
    definitions = arguments_of(corpus.two_of_one_name).schema["$defs"]

    assert {name for name in definitions if name.endswith("Order")} == {
        "tests.arguments.signatures_corpus.Order",
        "tests.arguments.signatures_corpus_of_strings.Order",
    }


def test_definitions_can_be_moved_to_components():
    schema = arguments_of(corpus.a_tagged_union).schema
    moved = with_refs(schema, lambda name: f"#/components/schemas/{name.rpartition('.')[2]}")

    assert "$defs" not in moved
    assert moved["properties"]["kwargs"]["properties"]["value"] == {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"},
        },
    }
    assert "$defs" in schema


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (corpus.nothing, None),
        (corpus.returns_anything, None),
        (corpus.returns_nothing, {"type": "null"}),
        (corpus.returns_text, {"type": "string"}),
        (corpus.asynchronous, {"type": "number"}),
        (corpus.returns_a_tuple, {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}),
        (corpus.returns_a_str_enum, {"type": "string", "enum": ["s", "l"], "title": "Size"}),
    ],
)
def test_a_return_hint_becomes_the_schema_of_the_return_value(task, expected):
    assert arguments_of(task).return_value == expected


def test_the_object_that_a_task_returns_may_gain_members():
    described = arguments_of(corpus.returns_a_typed_dict).return_value
    assert described is not None

    assert list(described["$defs"]) == ["tests.arguments.signatures_corpus.Address-Output"]
    assert described["properties"]["address"] == {
        "$ref": "#/$defs/tests.arguments.signatures_corpus.Address-Output"
    }
    assert not any("additionalProperties" in node for node in nodes(described))


@pytest.mark.parametrize(
    "task",
    [
        corpus.returns_an_enum,
        corpus.returns_a_datetime,
        corpus.returns_a_model,
        corpus.returns_a_set,
        corpus.returns_an_odder_type,
        corpus.returns_what_does_not_exist,
    ],
)
def test_a_return_hint_that_no_backend_could_store_gives_no_schema_but_a_warning(task):
    arguments = arguments_of(task)

    assert arguments.return_value is None
    assert "return" in arguments.warnings[-1]


def test_arguments_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        arguments_of(corpus.nothing).warnings = ()  # type: ignore[misc]


# Properties.

JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
            | st.sampled_from(["name", "items", "street", "kind", "value", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    name=st.sampled_from(sorted(TASKS)),
    args=st.lists(JSON, max_size=3),
    kwargs=st.dictionaries(
        st.sampled_from(["value", "name", "first", "user_id", "self", "context", "x"]) | st.text(),
        JSON,
        max_size=4,
    ),
)
def test_any_call_is_either_taken_or_refused_with_pointers_into_it(name, args, kwargs):
    before = json.dumps([args, kwargs])
    told: tuple[Fault, ...] = ()
    try:
        arguments_of(TASKS[name]).check(args, kwargs)
    except InvalidArguments as problem:
        told = problem.faults
        assert told
    assert len(told) <= 100
    for fault in told:
        assert fault.pointer is not None
        assert reaches_into({"args": args, "kwargs": kwargs}, fault.pointer)
    assert json.dumps([args, kwargs]) == before


def reaches_into(value: Any, pointer: str) -> bool:
    """Say whether a pointer leads to a value, or to a missing member of one."""
    *members, last = pointer.split("/")[1:]
    for member in [*members, last]:
        key = member.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdecimal():
            value = value[int(key)] if int(key) < len(value) else None
        elif isinstance(value, dict):
            if key not in value and member is not last:
                return False
            value = value.get(key)
        else:
            return False
    return True


@given(value=JSON)
def test_what_one_look_at_a_class_settles_is_what_the_json_schema_says(value):
    for task in (corpus.a_bool, corpus.a_str, corpus.a_none, corpus.anything):
        is_described = Draft202012Validator(arguments_of(task).schema).is_valid(
            {"kwargs": {"value": value}}
        )
        assert (faults_of_value(task, value) == []) == is_described


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moment=st.datetimes(timezones=OFFSETS))
def test_every_aware_moment_that_python_writes_is_a_datetime(moment: datetime):
    assert faults_of_value(corpus.a_datetime, moment.isoformat()) == []
