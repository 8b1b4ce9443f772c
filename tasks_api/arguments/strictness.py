"""
How each kind of schema that pydantic builds is made as strict as JSON.

pydantic reads hints; some of its habits do not suit a value that is passed on as it was sent.
Unknown members are refused unless the class itself says otherwise. `1`, `1.0` and `true` are told
apart in a `Literal` and an `Enum`. Dates, times, durations, UUIDs and decimals take a string in the
one format that their JSON Schema names.
"""

import enum
import re
from collections.abc import Callable
from typing import Any, cast

from pydantic_core import CoreSchema, PydanticKnownError, core_schema, to_json

_JSON_SCALARS = {str, int, float, bool, type(None)}

_DATE = r"\d{4}-\d\d-\d\d"
_FORMATS = {
    "date": (re.compile(_DATE), "date_parsing", "RFC 3339 has it as YYYY-MM-DD"),
    "datetime": (
        re.compile(_DATE + r"[Tt ]\d\d:\d\d.*", re.ASCII),
        "datetime_parsing",
        "RFC 3339 has it as YYYY-MM-DDThh:mm:ssZ",
    ),
    "time": (re.compile(r"\d\d:\d\d.*", re.ASCII), "time_parsing", "RFC 3339 has it as hh:mm:ssZ"),
    "timedelta": (
        re.compile(r"[+-]?P.*", re.ASCII),
        "time_delta_parsing",
        "ISO 8601 has it as P1DT2H30M",
    ),
    "uuid": (
        re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
        "uuid_parsing",
        "RFC 9562 has it in five groups of hexadecimal digits",
    ),
    "decimal": (
        re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
        "decimal_parsing",
        "",
    ),
}


class NoJSONForm(Exception):
    """No JSON value can stand for what the hint says."""


def stricter(node: dict[str, Any]) -> dict[str, Any]:
    """
    Return one schema, whose own children are strict already, made strict.

    Raises:
        NoJSONForm: no JSON value fits the schema.

    """
    change = _CHANGES.get(node.get("type"))
    return change(node) if change else node


def _as_leaf(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "strict": True}


def _as_container(node: dict[str, Any]) -> dict[str, Any]:
    """
    Leave strictness to the leaves.

    JSON has one form for a container, which pydantic's strict mode would refuse once somebody's
    validator has passed it on as Python's.
    """
    return {**node, "strict": False}


def _as_list(node: dict[str, Any]) -> dict[str, Any]:
    """Look at the items of an iterable now; pydantic would when somebody takes them."""
    return {**_as_container(node), "type": "list"}


def _always_strict(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "lax_schema": node["strict_schema"]}


def _always_json(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "python_schema": node["json_schema"]}


def _closed(node: dict[str, Any]) -> dict[str, Any]:
    """Refuse unknown members, unless the class says what is to become of them."""
    node = _as_container(node)
    node["config"] = config = {**(node.get("config") or {}), "strict": False}
    configured = getattr(node.get("cls"), "model_config", None) or getattr(
        node.get("cls"), "__pydantic_config__", None
    )
    if "extra" in (configured or {}):
        return node
    if node["type"] == "typed-dict":
        is_open = node.get("extra_behavior", "ignore") == "ignore"
        return {**node, "extra_behavior": "forbid"} if is_open else node
    if config.get("extra_fields_behavior", "ignore") != "ignore":
        return node
    return {**node, "config": {**config, "extra_fields_behavior": "forbid"}}


def _exact(node: dict[str, Any]) -> dict[str, Any]:
    """Tell 1, 1.0 and true apart, and take the values of an enum's members alone."""
    values = node["members"] if node["type"] == "enum" else node["expected"]
    values = [each.value if isinstance(each, enum.Enum) else each for each in values]
    if any(type(value) not in _JSON_SCALARS for value in values):
        raise NoJSONForm
    changed = {"expected": values} if node["type"] == "literal" else {"strict": False}
    allowed = {(type(value), value) for value in values}
    expected = " or ".join(to_json(value).decode() for value in values)

    code = "enum" if node["type"] == "enum" else "literal_error"

    def refuse_lookalikes(value: Any) -> Any:
        if type(value) not in _JSON_SCALARS or (type(value), value) not in allowed:
            raise PydanticKnownError(cast(Any, code), {"expected": expected})
        return value

    return _before(refuse_lookalikes, {**node, **changed})


def _formatted(node: dict[str, Any]) -> dict[str, Any]:
    node = _as_container(node)
    pattern, code, hint = _FORMATS[node["type"]]
    is_decimal = node["type"] == "decimal"
    # A JSON number would reach the function as a float: 0.1 is no decimal any more.
    type_code = "string_type" if is_decimal else code.replace("_parsing", "_type")

    def refuse_other_formats(value: Any) -> Any:
        if isinstance(value, str) and not pattern.fullmatch(value):
            context = None if is_decimal else {"error": hint}
            raise PydanticKnownError(cast(Any, code), context)
        if isinstance(value, int | float):
            raise PydanticKnownError(cast(Any, type_code))
        return value

    return _before(refuse_other_formats, node)


def _as_array(node: dict[str, Any]) -> dict[str, Any]:
    """Let a named tuple be an array alone, as its JSON Schema says."""

    def refuse_objects(value: Any) -> Any:
        if isinstance(value, dict):
            raise PydanticKnownError("tuple_type")
        return value

    return _before(refuse_objects, node)


def _before(refuse: Callable[[Any], Any], node: dict[str, Any]) -> dict[str, Any]:
    inner = {key: value for key, value in node.items() if key != "ref"}
    outer = core_schema.no_info_before_validator_function(refuse, cast(CoreSchema, inner))
    return {**outer, **({"ref": node["ref"]} if "ref" in node else {})}


_CHANGES: dict[str | None, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **dict.fromkeys(("int", "float", "bool", "str"), _as_leaf),
    **dict.fromkeys(("list", "set", "frozenset", "tuple", "deque"), _as_container),
    **dict.fromkeys(("dict", "ordered-dict", "counter", "frozendict"), _as_container),
    **dict.fromkeys(("bytes", "url", "multi-host-url", "complex"), _as_container),
    **dict.fromkeys(("model", "dataclass", "typed-dict"), _closed),
    **dict.fromkeys(("literal", "enum"), _exact),
    **dict.fromkeys(_FORMATS, _formatted),
    "generator": _as_list,
    "named-tuple": _as_array,
    "lax-or-strict": _always_strict,
    "json-or-python": _always_json,
}
