"""
Pydantic's schema of a type hint, made as strict as JSON.

pydantic reads hints, but some of its defaults do not suit a value that is passed on unconverted.
Numbers, strings and booleans are never converted. Unknown members are refused unless the class
allows them. `1` and `true` differ in a `Literal` and an `Enum`. Dates, times, durations, UUIDs and
decimals must be strings in the format that their JSON Schema names; a date with a time has an offset.
"""

import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, cast

from pydantic_core import CoreSchema, PydanticKnownError, core_schema, to_json
from pydantic_core.core_schema import ErrorType, ValidationInfo

from tasks_api.arguments.core_schemas import JSON_SCALARS, Node, rebuilt, wrapped
from tasks_api.arguments.whole_numbers import whole_number

UNION_LABEL = "\0"
"""Marks a member of a union in an error's location: no key from a client contains NUL."""

_INTEGER = "0|-?[1-9][0-9]*"
_DATE = r"\d{4}-\d\d-\d\d"
_FORMATS: dict[str, tuple[ErrorType, str]] = {
    "date": ("date_type", _DATE),
    "datetime": ("datetime_type", _DATE + r"[Tt ]\d\d:\d\d.*"),
    "time": ("time_type", r"\d\d:\d\d.*"),
    "timedelta": ("time_delta_type", r"[+-]?P.*"),
    "uuid": ("uuid_type", r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    # A JSON number would reach the function as a float: 0.1 is no decimal any more.
    "decimal": ("decimal_type", r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"),
    "fraction": ("fraction_type", r".*"),
    "complex": ("complex_type", r".*"),
}


def strict_schema(schema: Node) -> CoreSchema:
    """
    Return a strict version of a schema of pydantic's and of all schemas within it.

    Values are checked against it in pydantic's Python mode, because that is the mode after a custom
    validator of Python objects anyway.
    """
    return cast(CoreSchema, rebuilt(schema, _stricter))


def _stricter(node: Node, in_name: bool) -> Node:
    """Make a schema strict; its children are strict already."""
    kind = node["type"]
    # JSON has only arrays and objects, which pydantic's strict mode refuses for sets and the like,
    # and a member's name is always a string.
    node["strict"] = kind == "str" or (kind in {"int", "float", "bool"} and not in_name)
    if kind == "datetime":
        # The published format is RFC 3339's `date-time`, which has an offset.
        node.setdefault("tz_constraint", "aware")
    if kind in {"model", "dataclass", "typed-dict"}:
        _close(node)
    elif kind == "union":
        choices = (each[0] if isinstance(each, tuple) else each for each in node["choices"])
        node["choices"] = [(each, UNION_LABEL) for each in choices]
    elif kind == "generator":
        # Check the items now; pydantic would check them when they are iterated over.
        node["type"] = "list"
    elif kind == "lax-or-strict":
        node["lax_schema"] = node["strict_schema"]
    elif kind == "json-or-python":
        node["python_schema"] = node["json_schema"]
    elif before := _before(kind, node, in_name):
        return wrapped(node, before)
    return node


def _close(node: Node) -> None:
    """Refuse unknown members, unless the class configures them."""
    node["config"] = config = {**node.get("config", {}), "strict": False}
    if "extra_fields_behavior" in config or node.get("extra_behavior", "ignore") != "ignore":
        return
    config["extra_fields_behavior"] = "forbid"
    if node["type"] == "typed-dict":
        node["extra_behavior"] = "forbid"


def _before(kind: str, node: Node, in_name: bool) -> Callable[[CoreSchema], CoreSchema] | None:
    """Return what puts a check before pydantic's own, if one is needed."""
    if kind == "literal":
        members = node["expected"]
        node["expected"] = [_value(each) for each in members]
        return partial(_literal, _refuse_lookalikes(node["expected"]), members)
    if kind == "enum":
        return partial(_with_info, _refuse_lookalikes([_value(each) for each in node["members"]]))
    if kind in _FORMATS:
        return partial(_without_info, _refuse_other_formats(*_FORMATS[kind]))
    if kind == "int" and in_name:
        return partial(_without_info, _refuse_other_formats("int_type", _INTEGER))
    return partial(_without_info, _refuse_object) if kind == "named-tuple" else None


def _literal(
    refuse: Callable[[Any, ValidationInfo], Any], members: list[Any], schema: CoreSchema
) -> CoreSchema:
    """Check values, and return the members of an enum in their place."""
    checked = _with_info(refuse, schema)
    by_value = {(type(each.value), each.value): each for each in members if isinstance(each, Enum)}
    if not by_value:
        return checked
    return core_schema.no_info_after_validator_function(
        lambda value: by_value.get((type(value), value), value), checked
    )


_with_info = core_schema.with_info_before_validator_function
_without_info = core_schema.no_info_before_validator_function


def _value(member: Any) -> Any:
    return member.value if isinstance(member, Enum) else member


def _refuse_lookalikes(values: list[Any]) -> Callable[[Any, ValidationInfo], Any]:
    """Distinguish 1 from true and from "1", and accept only the values of an enum's members."""
    allowed = {(type(value), value) for value in values}
    expected = " or ".join(to_json(value).decode() for value in values)

    def refuse(value: Any, info: ValidationInfo) -> Any:
        kind = type(value)
        # Objects that a custom validator returned are left to pydantic.
        if kind in {list, dict} or (kind in JSON_SCALARS and (kind, value) not in allowed):
            if kind is int and (float, value) in allowed:
                # JSON does not distinguish 1 from 1.0, and JavaScript cannot write the latter.
                return float(value)
            if kind is float and (int, value) in allowed and info.context is not None:
                return whole_number(value, info)
            raise PydanticKnownError("enum", {"expected": expected})
        return value

    return refuse


def _refuse_other_formats(error: ErrorType, pattern: str) -> Callable[[Any], Any]:
    fits = re.compile(pattern, re.ASCII).fullmatch

    def refuse(value: Any) -> Any:
        if isinstance(value, str | int | float) and not (isinstance(value, str) and fits(value)):
            raise PydanticKnownError(error)
        return value

    return refuse


def _refuse_object(value: Any) -> Any:
    """Accept only an array for a named tuple, as its JSON Schema says."""
    if isinstance(value, dict):
        raise PydanticKnownError("tuple_type")
    return value
