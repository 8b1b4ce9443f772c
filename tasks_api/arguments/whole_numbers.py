"""
Whole numbers that are written with a fraction or an exponent.

To JSON, `1.0` and `1e2` are the integers 1 and 100; Python parses them as floats. Where a hint asks for
an integer, they are accepted and stored as integers. Beyond 2^53 they are refused: there, a float stands
for several integers.
"""

from typing import Any, cast

from pydantic_core import CoreSchema, core_schema
from pydantic_core.core_schema import ValidationInfo

from tasks_api.arguments.core_schemas import Node, rebuilt, wrapped

_LIMIT = 2**53


def as_integer(value: Any) -> int | None:
    """Return the integer that a JSON number stands for; None if it is none, or if it is a boolean."""
    if type(value) is int:
        return value
    return int(value) if _is_whole(value) else None


def has_whole_float(value: Any) -> bool:
    """Tell whether a number in a JSON value can be an integer although Python parsed it as a float."""
    if isinstance(value, dict):
        return any(map(has_whole_float, value.values()))
    return any(map(has_whole_float, value)) if isinstance(value, list) else _is_whole(value)


def with_whole_floats(schema: CoreSchema) -> CoreSchema:
    """Return a strict schema that accepts whole floats as integers; `whole_number` collects them."""
    return cast(CoreSchema, rebuilt(schema, _accepting))


def whole_number(value: Any, info: ValidationInfo) -> Any:
    """Pass a whole float on as an integer, and add it to the list that is the validation's context."""
    if not _is_whole(value):
        return value
    cast("list[float]", info.context).append(value)
    return int(value)


def with_integers(value: Any, floats: list[float]) -> Any:
    """Return a copy of a JSON value with an integer in place of each of these very floats."""
    return _replaced(value, {id(each) for each in floats})


def _replaced(value: Any, places: set[int]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(each, places) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, places) for each in value]
    return int(value) if id(value) in places else value


def _is_whole(value: Any) -> bool:
    return type(value) is float and abs(value) <= _LIMIT and value.is_integer()


def _accepting(node: Node, in_name: bool) -> Node:
    if node["type"] != "int" or in_name:
        return node
    return wrapped(
        node,
        lambda inner: core_schema.with_info_before_validator_function(whole_number, inner),
    )
