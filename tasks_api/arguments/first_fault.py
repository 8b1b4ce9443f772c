"""
Checking large values without the memory that pydantic needs to report all of their faults.

Each of pydantic's errors has its own copy of its location, and all are collected before the first is
read: an array of a hundred thousand wrong entries under a long name would take gigabytes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from pydantic_core import CoreSchema, PydanticCustomError, ValidationError, core_schema

from tasks_api.arguments.core_schemas import Node, rebuilt, wrapped

ROOM = 1024 * 1024
"""How many bytes the errors of a value may take, roughly, if all of them are collected."""

MAX_ERRORS = 10
"""How many errors of one object are collected otherwise."""

_BYTES_OF_ERROR = 64
_BYTES_OF_STEP = 32
_FAIL_FAST = frozenset(
    {"list", "deque", "tuple", "set", "frozenset", "dict", "frozendict", "ordered-dict", "counter"}
)
_OBJECTS = frozenset({"model", "dataclass", "typed-dict", "named-tuple"})


def may_have_large_errors(value: Any) -> bool:
    """Return whether the errors of a value could take more than `ROOM`, if every entry were wrong."""
    room = ROOM
    pending = [(value, 0)]
    while pending:
        container, path = pending.pop()
        if not isinstance(container, dict | list):
            continue
        room -= len(container) * (_BYTES_OF_ERROR + path)
        if room < 0:
            return True
        path += _BYTES_OF_STEP
        if isinstance(container, dict):
            pending += [
                (each, path + len(name))
                for name, each in container.items()
                if isinstance(each, dict | list)
            ]
        else:
            pending += [(each, path) for each in container if isinstance(each, dict | list)]
    return False


def first_fault_schema(schema: CoreSchema) -> CoreSchema:
    """Return a strict schema that reports few of a value's faults, mostly the first one."""
    return cast(CoreSchema, rebuilt(schema, _stopping_early))


def _stopping_early(node: Node, in_name: bool) -> Node:
    kind = node["type"]
    if kind in _FAIL_FAST:
        return {**node, "fail_fast": True}
    if kind == "lax-or-strict":
        return {**node, "lax_schema": node["strict_schema"]}
    if kind == "json-or-python":
        return {**node, "python_schema": node["json_schema"]}
    if kind in _OBJECTS:
        # An object's unknown members are all reported, whatever their number.
        return wrapped(node, partial(core_schema.no_info_wrap_validator_function, _limit))
    return node


def _limit(value: Any, check: Callable[[Any], Any]) -> Any:
    try:
        return check(value)
    except ValidationError as error:
        if error.error_count() > MAX_ERRORS:
            # An unknown type of error is reported as `value_error`.
            raise PydanticCustomError("many_faults", "many faults") from None
        raise
