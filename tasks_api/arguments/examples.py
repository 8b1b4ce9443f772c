"""Minimal values that fit a JSON Schema, for the documentation of a task type."""

import math
from collections.abc import Callable, Mapping
from typing import Any

_FORMATS = {
    "date-time": "2026-11-22T09:00:00Z",
    "date-time-local": "2026-11-22T09:00:00",
    "date": "2026-11-22",
    "time": "09:00:00Z",
    "duration": "PT30M",
    "uuid": "7b0e2f6c-3c1d-4f5a-9a8e-2d4c6b8f0a12",
    "decimal": "1.50",
    "fraction": "1/3",
    "uri": "https://example.com/",
    "email": "ada@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


class NoExample(Exception):
    """No value that certainly fits can be derived."""


def example_of(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], within: frozenset[str] = frozenset()
) -> Any:
    """
    Return a small value that fits, with required members only; `within` guards recursion.

    Raises:
        NoExample: no value can be derived, for example for a pattern.

    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in within:
            raise NoExample
        return example_of(definitions[name], definitions, within | {name})
    if "const" in schema:
        return schema["const"]
    if listed := schema.get("examples") or schema.get("enum"):
        return listed[0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _first(choices, definitions, within)
    make = _BY_TYPE[schema.get("type")]
    return make(schema, definitions, within)


def _first(
    choices: list[dict[str, Any]], definitions: Mapping[str, Any], within: frozenset[str]
) -> Any:
    for choice in choices:
        try:
            return example_of(choice, definitions, within)
        except NoExample:
            continue
    raise NoExample


def _object(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], within: frozenset[str]
) -> dict[str, Any]:
    properties = schema.get("properties", {})
    if schema.get("minProperties", 0) > len(schema.get("required", ())):
        raise NoExample
    return {
        name: example_of(properties[name], definitions, within)
        for name in schema.get("required", ())
    }


def _array(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], within: frozenset[str]
) -> list[Any]:
    length = schema.get("minItems", 0)
    if length > 100:
        raise NoExample
    leading = schema.get("prefixItems", [])[:length]
    example = [example_of(item, definitions, within) for item in leading]
    if len(example) < length:
        item = example_of(schema.get("items", {}), definitions, within)
        example += [item] * (length - len(example))
    return example


def _string(schema: Mapping[str, Any], *_: Any) -> str:
    if "pattern" in schema:
        raise NoExample
    if "format" in schema and schema["format"] in _FORMATS:
        return _FORMATS[schema["format"]]
    shortest: int = schema.get("minLength", 0)
    if shortest > 1000:
        raise NoExample
    text = "string" * max(1, math.ceil(shortest / len("string")))
    return text[: max(shortest, min(len("string"), schema.get("maxLength", len("string"))))]


def _number(schema: Mapping[str, Any], *_: Any) -> int | float:
    """Return 1, or a number near it that the bounds allow."""
    if schema["type"] == "integer" or "multipleOf" in schema:
        return _multiple(schema)
    lowest, above = schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf)
    highest, below = schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf)
    if lowest <= 1 <= highest and above < 1 < below:
        return 1
    low, high = max(lowest, above), min(highest, below)
    if math.isinf(low):
        low = high - 2
    if math.isinf(high):
        high = low + 2
    middle: float = (low + high) / 2
    return middle


def _multiple(schema: Mapping[str, Any]) -> int | float:
    step = schema.get("multipleOf", 1)
    lowest = schema.get("minimum", -math.inf)
    highest = schema.get("maximum", math.inf)
    if "exclusiveMinimum" in schema:
        lowest = max(lowest, math.floor(schema["exclusiveMinimum"] / step) * step + step)
    if "exclusiveMaximum" in schema:
        highest = min(highest, math.ceil(schema["exclusiveMaximum"] / step) * step - step)
    nearest = min(max(1, lowest), highest)
    multiple: int | float = math.ceil(nearest / step) * step
    return multiple if multiple <= highest else math.floor(nearest / step) * step


def _anything(schema: Mapping[str, Any], *_: Any) -> Any:
    if schema.keys() - {"title", "description", "deprecated"}:
        raise NoExample
    return "anything"


_BY_TYPE: dict[str | None, Callable[..., Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": lambda *_: True,
    "null": lambda *_: None,
    None: _anything,
}
