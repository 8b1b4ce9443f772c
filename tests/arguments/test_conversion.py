"""What a function that is `@typed` receives is what was checked, and what it returns becomes JSON."""

import collections
import dataclasses
import decimal
import fractions
import functools
import ipaddress
import json
import pathlib
import typing
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.tasks import Task
from hypothesis import given
from jsonschema import Draft202012Validator

from tasks_api.arguments import Arguments
from tasks_api.arguments.conversion import Conversion
from tasks_api.exceptions import ArgumentsDoNotFit, ReturnValueDoesNotFit
from tasks_api.typed import typed
from tests.arguments import signatures_corpus as corpus
from tests.arguments import signatures_corpus_of_strings as corpus_of_strings
from tests.arguments.test_strict_schema import near_values, passes

# It does not depend on the database.
pytestmark = pytest.mark.sqlite

# What their own code, or a hint without JSON, makes of a value is not what they take.
OF_THEIR_OWN = {
    corpus.no_type_at_all,
    corpus.nonsense,
    corpus.an_enum_of_tuples,
    corpus.a_json_text,
    corpus.a_union_told_apart_by_a_function,
    corpus.a_picky_model,
}


@cache
def echo_of(task: "Task[..., Any]") -> Any:
    """Return a function with the hint of a task's argument for its own argument and its result."""

    def echo(value):
        return value

    hint = typing.get_type_hints(task.func, include_extras=True).get("value", Any)
    echo.__annotations__ = {"value": hint, "return": hint}
    return typed(echo)


def arguments_of(function: Any) -> Arguments:
    # Django makes no task of a function that is not a module's own.
    task: Any = SimpleNamespace(func=function, takes_context=False)
    return Arguments.of(task)


@cache
def schema_of_result(task: "Task[..., Any]") -> Draft202012Validator:
    return Draft202012Validator(arguments_of(echo_of(task)).return_value or {})


def received(task: "Task[..., Any]", *args: Any, **kwargs: Any) -> Any:
    """Return what the function of a task would receive if it were typed."""
    return Conversion(task.func).arguments(list(args), kwargs, takes_context=task.takes_context)


@given(near_values())
def test_what_passes_the_check_is_converted_and_its_json_passes_too(drawn):
    task, value = drawn
    if task in OF_THEIR_OWN or not passes(task, value):
        return
    result = echo_of(task)(value)

    assert passes(task, json.loads(json.dumps(result)))
    assert schema_of_result(task).is_valid(result)
    # What Django code enqueues is the same again.
    value = received(task, value=value)[1]["value"]
    assert Conversion(task.func).json([], {"value": value}, takes_context=False)[1] == {
        "value": result
    }


@given(near_values())
def test_what_does_not_pass_the_check_is_not_converted_either(drawn):
    task, value = drawn
    if task not in OF_THEIR_OWN and not passes(task, value):
        with pytest.raises(ArgumentsDoNotFit, match="`value`"):
            echo_of(task)(value)


@pytest.mark.parametrize(
    ("task", "sent", "expected"),
    [
        (corpus.a_datetime, "2026-11-22T09:00:00Z", datetime(2026, 11, 22, 9, tzinfo=UTC)),
        (corpus.a_date, "2026-11-22", date(2026, 11, 22)),
        (corpus.a_time, "09:00", time(9)),
        (corpus.a_timedelta, "PT30M", timedelta(minutes=30)),
        (corpus.a_uuid, "7b0e2f6c-3c1d-4f5a-9a8e-2d4c6b8f0a12", UUID(int=0)),
        (corpus.a_decimal, "1.50", decimal.Decimal("1.50")),
        (corpus.a_fraction, "1/3", fractions.Fraction(1, 3)),
        (corpus.a_complex_number, "1+2j", 1 + 2j),
        (corpus.some_bytes, "é", "é".encode()),
        (corpus.a_path, "/x", pathlib.Path("/x")),
        (corpus.an_ip_address, "192.0.2.1", ipaddress.IPv4Address("192.0.2.1")),
        (corpus.an_enum, "red", corpus.Colour.RED),
        (corpus.an_int_enum, 2.0, corpus.Level.HIGH),
        (corpus.an_enum_of_floats, 1, corpus.Share.WHOLE),
        (corpus.a_literal_of_an_enum, "red", corpus.Colour.RED),
        (corpus.a_set, [1, 1, 2.0], {1, 2}),
        (corpus.a_tuple, [1, "x"], (1, "x")),
        (corpus.an_iterable, [1, 2], [1, 2]),
        (corpus.a_counter, {"a": 1}, collections.Counter(a=1)),
        (corpus.a_dict_by_number, {"1": "x"}, {1: "x"}),
        (corpus.a_dict_by_enum, {"red": 1}, {corpus.Colour.RED: 1}),
        (corpus.a_named_tuple, [1], corpus.Pair(1)),
        (corpus.a_dataclass, {"x": 1}, corpus.Point(1.0)),
        (
            corpus.a_nested_dataclass,
            {"start": {"x": 1}, "end": {"x": 2}},
            corpus.Line(corpus.Point(1), corpus.Point(2)),
        ),
        (corpus.a_model, {"items": [{"name": "x"}]}, corpus.Order(items=[corpus.Item(name="x")])),
        (corpus.an_aliased_model, {"class": "x"}, corpus.Aliased(**{"class": "x"})),
        (corpus.a_tagged_union, {"kind": "cat", "lives": 9}, corpus.Cat(kind="cat", lives=9)),
        (corpus.a_generic_model, {"results": []}, corpus.Page[corpus.Item](results=[])),
        (corpus.an_optional, None, None),
        (corpus.a_float, 1, 1.0),
        (corpus.anything, [1.0, {"a": None}], [1.0, {"a": None}]),
        (corpus.unhinted, "2026-11-22", "2026-11-22"),
    ],
)
def test_an_argument_arrives_as_its_hint_says(task, sent, expected):
    [value] = received(task, sent)[0]

    assert type(value) is type(expected)
    assert value == expected or isinstance(value, UUID)
    assert received(task, value=sent) == ([], {"value": value})


def test_arguments_are_converted_wherever_they_are():
    item = {"name": "x"}
    args, kwargs = received(corpus.models_by_position, item, item)
    assert (args, kwargs) == ([corpus.Item(name="x")] * 2, {})
    order, labels = {"lines": [{"number": 1.0}]}, {"colour": "red"}
    args, kwargs = received(corpus_of_strings.optional_forward_reference, [order], 1, 2.0, **labels)
    ours = corpus_of_strings
    assert (args, kwargs) == ([[ours.Order([ours.Line(1)])], 1, 2], labels)
    assert received(corpus.an_unpacked_tuple, 1.0, "x") == ([1, "x"], {})
    assert received(corpus.two_of_one_name, mine={"items": []}, other={"lines": []}) == (
        [],
        {"mine": corpus.Order(items=[]), "other": ours.Order([])},
    )


@pytest.mark.parametrize(
    ("task", "args", "kwargs", "told"),
    [
        (
            corpus.a_model,
            [],
            {"value": {"items": [{"name": "x", "quantity": 0}]}},
            "`value`, at /items/0/quantity: Should be 1 or greater.",
        ),
        (corpus.positional_only, [1, 2], {}, "`second`: Should be a string."),
        (corpus.defaults, [1, "", 1, 1], {}, "The positional arguments: Should have 3 or fewer"),
        (
            corpus.keyword_only,
            [],
            {"nmae": "x"},
            "`nmae`: Should not be present. `name`: Should be",
        ),
        (corpus.any_positional, ["x"], {}, "`*numbers`, at /0: Should be a whole number."),
        (
            corpus.a_picky_model,
            [{"value": "bad"}],
            {},
            "`value`, at /value: Value error, bad is not",
        ),
        (corpus.a_list, [["x"] * 99], {}, "`value`, at /9: Should be a whole number. …"),
    ],
)
def test_arguments_that_do_not_fit_are_named(task, args, kwargs, told):
    with pytest.raises(ArgumentsDoNotFit) as raised:
        received(task, *args, **kwargs)

    name = task.module_path
    assert str(raised.value).startswith(f"The arguments of {name} do not fit its hints. ")
    assert told in str(raised.value)


def test_what_a_validator_raises_beside_faults_is_raised():
    with pytest.raises(RuntimeError, match="crash"):
        received(corpus.a_picky_model, {"value": "crash"})


@dataclasses.dataclass(slots=True)
class Holder:
    held: Any


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (int, "1", "The value: Input should be a valid integer."),
        (corpus.Order, {"items": [{}]}, "items.0.name: Field required."),
        (corpus.Item, corpus.Item.model_construct(name=1), "Expected `str`"),
        (
            corpus.Item | None,
            corpus.Order(items=[]),
            "Input should be a valid dictionary or instance of Item.",
        ),
        (datetime, "2026-11-22T09:00:00Z", "Input should be a valid datetime."),
        (corpus.Address, {}, "street: Field required."),
        (list[corpus.Address], [{"street": 1}], "0.street: Input should be a valid string."),
        (typing.Literal["a"], "b", "Input should be 'a'."),
        (None, 1, "Input should be None."),
        (float, True, "Input should be a valid number."),
        (list[int], (1, 2), "Input should be a valid list."),
        (Iterable[int], iter(["x"]), "Input should be a valid integer"),
        (bytes, b"\xff", "cannot be expressed in JSON: 'utf-8' codec"),
        (Any, object(), "cannot be expressed in JSON: Unable to serialize unknown type"),
        (Any, {1: 1, "1": 2}, 'several keys of the same name, such as 1 and "1"'),
        (list[dict[int | str, int]], [{1: 1, "1": 2}], "several keys of the same name"),
        (corpus.OpenItem, corpus.OpenItem(name="x", more={1: 1, "1": 2}), "several keys of the"),
        (Holder, Holder([{None: 1, "None": 2}]), "several keys of the same name"),
        (..., object(), "cannot be expressed in JSON: Unable to serialize unknown type"),
    ],
)
def test_a_result_that_does_not_fit_its_hint_is_told(hint, value, told):
    def give():
        return value

    give.__annotations__ = {} if hint is ... else {"return": hint}

    with pytest.raises(ReturnValueDoesNotFit) as raised:
        typed(give)()

    assert told in str(raised.value)
    assert "give" in str(raised.value)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (float, 1, 1.0),
        (corpus.Order, {"items": []}, {"items": [], "note": None}),
        (Iterable[int], (number for number in (1, 2)), [1, 2]),
        (Sequence[corpus.Point], (corpus.Point(1),), [{"x": 1.0, "y": 0.0}]),
        (corpus.Aliased, corpus.Aliased(**{"class": "x"}), {"class": "x"}),
        (timedelta, timedelta(minutes=30), "PT30M"),
        (Any, {1: 1, "2": 2, None: 3}, {"1": 1, "2": 2, "None": 3}),
        (Holder, Holder([Holder(1)]), {"held": [{"held": 1}]}),
        (Any, corpus.OpenItem(name="x", more={1: 2}), {"name": "x", "more": {"1": 2}}),
    ],
)
def test_a_result_that_fits_its_hint_becomes_its_json(hint, value, expected):
    def give():
        return value

    give.__annotations__ = {"return": hint}

    assert typed(give)() == expected


def test_a_result_without_a_hint_becomes_the_json_of_what_it_is():
    @typed
    def give():
        return [corpus.Order(items=[]), corpus.Point(1), {1}, date(2026, 11, 22), corpus.Colour.RED]

    order = {"items": [], "note": None}
    assert give() == [order, {"x": 1, "y": 0.0}, [1], "2026-11-22", "red"]
    assert arguments_of(give).return_value is None


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (datetime, {"type": "string", "format": "date-time"}),
        (set[int], {"type": "array", "uniqueItems": True}),
        (corpus.Colour, {"type": "string", "enum": ["red", "green"]}),
        (corpus.Aliased, {"type": "object", "required": ["class"]}),
        (corpus.Order, {"type": "object", "required": ["items"]}),
    ],
)
def test_the_schema_of_a_result_is_that_of_its_json(hint, schema):
    def give(): ...

    give.__annotations__ = {"return": hint}
    arguments = arguments_of(typed(give))

    assert arguments.return_value is not None
    assert {key: arguments.return_value[key] for key in schema} == schema
    assert arguments.warnings == ()


def test_a_typed_function_gives_no_warning_of_what_it_receives():
    assert arguments_of(typed(corpus.a_model.func)).warnings == ()
    assert "cannot be expressed" in arguments_of(typed(corpus.a_callable.func)).warnings[0]
    assert (
        "values are not checked"
        in arguments_of(typed(corpus.returns_an_odder_type.func)).warnings[0]
    )


def test_the_warnings_of_other_functions_name_the_way():
    assert (
        "with the decorator `tasks_api.typed.typed`"
        in arguments_of(corpus.a_model.func).warnings[0]
    )
    assert (
        "with the decorator `tasks_api.typed.typed`"
        in arguments_of(corpus.returns_a_model.func).warnings[0]
    )
    assert "typed" not in arguments_of(corpus.a_callable.func).warnings[0]
    assert "typed" not in arguments_of(corpus.returns_an_odder_type.func).warnings[0]


def test_a_function_and_its_task_type_share_one_look_at_the_hints(monkeypatch):
    function = typed(corpus.a_model.func)
    arguments = arguments_of(function)
    monkeypatch.setattr("tasks_api.arguments.interface._Builder.build", None)

    assert arguments_of(function).schema == arguments.schema
    function({"items": []})


def test_a_decorator_above_may_have_a_signature_of_its_own():
    function = typed(corpus.a_model.func)

    @functools.wraps(function)
    def twice(value: corpus.Item):
        return function({"items": [value, value]})

    del twice.__wrapped__
    twice.__annotations__ = {"value": corpus.Item}

    assert "tests.arguments.signatures_corpus.Order" not in arguments_of(twice).schema["$defs"]
    assert arguments_of(twice).warnings == ()
