"""
Pydantic's schema of a type hint, made as strict as JSON.

pydantic reads hints; some of its habits do not suit a value that is passed on as it was sent.
Numbers, strings and booleans are never converted. Unknown members are refused unless the class
itself says otherwise. `1`, `1.0` and `true` are told apart in a `Literal` and an `Enum`. Dates,
times, durations, UUIDs and decimals take a string in the one format that their JSON Schema names.
"""

import enum
import re
from collections.abc import Callable
from typing import Any, cast

from pydantic_core import CoreSchema, PydanticKnownError, core_schema, to_json
from pydantic_core.core_schema import ErrorType

from tasks_api.arguments.core_schemas import JSON_SCALARS, NOT_SCHEMAS, Node

UNION_LABEL = "\0"
"""Stands in an error's location for a member of a union: no key that a client sends holds NUL."""

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
    Return one of pydantic's schemas made strict, with all that lies within.

    Values are checked against it in pydantic's Python mode, in which somebody's validator of
    Python objects leaves them anyway.
    """
    return cast(CoreSchema, _strict(schema, in_name=False))


def _strict(part: Any, *, in_name: bool) -> Any:
    """Rebuild a part of a schema; `in_name`, it is for the names of an object's members."""
    match part:
        case {"type": str()}:
            inner = {
                key: value
                if key in NOT_SCHEMAS
                else _strict(value, in_name=in_name or key == "keys_schema")
                for key, value in part.items()
            }
            return _stricter(inner, in_name)
        case dict():
            return {name: _strict(each, in_name=in_name) for name, each in part.items()}
        case list():
            return [_strict(each, in_name=in_name) for each in part]
        case tuple():
            return tuple(_strict(each, in_name=in_name) for each in part)
        case _:
            return part


def _stricter(node: Node, in_name: bool) -> Node:
    """Make one schema strict whose children are strict already."""
    kind = node["type"]
    # JSON has one form for a container, which pydantic's strict mode would take for another one,
    # and a member's name is a string, whatever it stands for.
    node["strict"] = kind == "str" or (kind in {"int", "float", "bool"} and not in_name)
    if kind in {"model", "dataclass", "typed-dict"}:
        _close(node)
    elif kind == "union":
        choices = (each[0] if isinstance(each, tuple) else each for each in node["choices"])
        node["choices"] = [(each, UNION_LABEL) for each in choices]
    elif kind == "generator":
        # Its items are looked at now; pydantic would when somebody takes them.
        node["type"] = "list"
    elif kind == "lax-or-strict":
        node["lax_schema"] = node["strict_schema"]
    elif kind == "json-or-python":
        node["python_schema"] = node["json_schema"]
    elif refuse := _refusal(kind, node):
        inner = {key: value for key, value in node.items() if key != "ref"}
        outer = core_schema.no_info_before_validator_function(refuse, cast(CoreSchema, inner))
        return {**outer, **({"ref": node["ref"]} if "ref" in node else {})}
    return node


def _close(node: Node) -> None:
    """Refuse unknown members, unless the class says what is to become of them."""
    node["config"] = config = {**node.get("config", {}), "strict": False}
    if "extra_fields_behavior" in config or node.get("extra_behavior", "ignore") != "ignore":
        return
    config["extra_fields_behavior"] = "forbid"
    if node["type"] == "typed-dict":
        node["extra_behavior"] = "forbid"


def _refusal(kind: str, node: Node) -> Callable[[Any], Any] | None:
    """Return what is to look at a value before pydantic does."""
    if kind == "literal":
        node["expected"] = [_value(each) for each in node["expected"]]
        return _refuse_lookalikes(node["expected"])
    if kind == "enum":
        return _refuse_lookalikes([_value(each) for each in node["members"]])
    if kind in _FORMATS:
        return _refuse_other_formats(*_FORMATS[kind])
    return _refuse_object if kind == "named-tuple" else None


def _value(member: Any) -> Any:
    return member.value if isinstance(member, enum.Enum) else member


def _refuse_lookalikes(values: list[Any]) -> Callable[[Any], Any]:
    """Tell 1, 1.0 and true apart, and take the values of an enum's members alone."""
    allowed = {(type(value), value) for value in values}
    expected = " or ".join(to_json(value).decode() for value in values)

    def refuse(value: Any) -> Any:
        kind = type(value)
        # What somebody's validator made of a value is left to pydantic.
        if kind in {list, dict} or (kind in JSON_SCALARS and (kind, value) not in allowed):
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
    """Let a named tuple be an array alone, as its JSON Schema says."""
    if isinstance(value, dict):
        raise PydanticKnownError("tuple_type")
    return value
