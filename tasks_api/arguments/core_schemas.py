"""Pydantic's schemas of type hints: how to get one, its parts, and which have no JSON form."""

import enum
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import CoreSchema

type Node = dict[str, Any]
"""One of pydantic's schemas, as `pydantic_core.core_schema` describes them."""

NOT_SCHEMAS = frozenset(
    {"metadata", "serialization", "computed_fields", "config", "function"}
    | {"default", "expected", "members"}
    # What pydantic would do with Python objects; other members hold the schema for JSON.
    | {"python_schema", "lax_schema"}
)
"""The members of a schema that contain no schema for JSON values."""

_WITHOUT_JSON_FORM = {"callable", "is-instance", "is-subclass", "invalid", "ellipsis"}

# The JSON value that a function receives, for hints that promise something else.
_RECEIVED = {
    **dict.fromkeys(("datetime", "date", "time", "timedelta", "uuid", "decimal"), "string"),
    **dict.fromkeys(("bytes", "url", "multi-host-url", "complex", "fraction", "json"), "string"),
    **dict.fromkeys(("model", "dataclass", "ordered-dict", "counter", "frozendict"), "object"),
    **dict.fromkeys(("set", "frozenset", "tuple", "deque", "named-tuple"), "array"),
    "enum": "value",
}
JSON_SCALARS: frozenset[type] = frozenset({str, int, float, bool, type(None)})


class NoJSONForm(Exception):
    """No JSON value corresponds to the hint."""


def adapter_of(hint: Any) -> TypeAdapter[Any]:
    """
    Return pydantic's adapter of a hint.

    Raises:
        NoJSONForm: pydantic has no schema for it, or a name in the hint cannot be resolved.

    """
    try:
        with warnings.catch_warnings():
            # That pydantic does not enforce it is nothing to warn of: the value is JSON.
            warnings.filterwarnings("ignore", message=".*`ReadOnly` qualifier")
            adapter: TypeAdapter[Any] = TypeAdapter(hint)
        # A class with unresolved names yields a placeholder that fails when it is read.
        dict(adapter.core_schema)
    except Exception as error:
        raise NoJSONForm from error
    return adapter


def core_schema_of(hint: Any) -> Node:
    """Return pydantic's own schema of a hint; raises what `adapter_of` raises."""
    return dict(adapter_of(hint).core_schema)


def children_of(node: Node) -> Iterator[Node]:
    """Yield the schemas directly within a schema of pydantic's."""
    for key, value in node.items():
        if key not in NOT_SCHEMAS:
            yield from _outermost(value)


def _outermost(part: Any) -> Iterator[Node]:
    match part:
        case {"type": str()}:
            yield part
        case dict():
            for each in part.values():
                yield from _outermost(each)
        case list() | tuple():
            for each in part:
                yield from _outermost(each)


def contains(node: Node, kind: str) -> bool:
    """Return whether a schema is of this type, or one within it is."""
    return node["type"] == kind or any(contains(child, kind) for child in children_of(node))


def rebuilt(part: Any, change: Callable[[Node, bool], Node], *, in_name: bool = False) -> Any:
    """
    Return a copy of a schema of pydantic's in which each schema is changed, the innermost first.

    `change` is told whether a schema is for the names of an object's members.
    """
    match part:
        case {"type": str()}:
            inner = {
                key: value
                if key in NOT_SCHEMAS
                else rebuilt(value, change, in_name=in_name or key == "keys_schema")
                for key, value in part.items()
            }
            return change(inner, in_name)
        case dict():
            return {name: rebuilt(each, change, in_name=in_name) for name, each in part.items()}
        case list() | tuple():
            return type(part)(rebuilt(each, change, in_name=in_name) for each in part)
        case _:
            return part


def wrapped(node: Node, wrap: Callable[[CoreSchema], CoreSchema]) -> Node:
    """Return a schema around this one that other schemas refer to in its place."""
    inner = {key: value for key, value in node.items() if key != "ref"}
    outer = wrap(cast(CoreSchema, inner))
    return {**outer, **({"ref": node["ref"]} if "ref" in node else {})}


def runs_code(node: Node) -> bool:
    """Tell whether checking a value calls a function or a class that somebody else has written."""
    is_called = "function" in node or node["type"] in {"model", "dataclass"}
    return is_called or any(map(runs_code, children_of(node)))


def received(node: Node) -> Iterator[str]:
    """
    Yield the kinds of JSON values that a function receives although its hint says otherwise.

    Raises:
        NoJSONForm: no JSON value corresponds to the hint.

    """
    if node["type"] in _WITHOUT_JSON_FORM or _imports(node) or not _has_json_values(node):
        raise NoJSONForm
    within = [kind for child in children_of(node) for kind in received(child)]
    if kind := _received_itself(node):
        yield kind
    # The members of an object that the function receives unconverted are not listed.
    if node["type"] not in {"model", "dataclass"}:
        yield from within


def _received_itself(node: Node) -> str | None:
    match node:
        case {"type": "model", "root_model": True}:
            return "value"
        case {"type": "json-or-python", "python_schema": python}:
            return None if _takes_json_types(python) else "value"
        case {"type": "literal", "expected": values}:
            return "value" if any(isinstance(each, enum.Enum) for each in values) else None
        case {"type": "dict", "keys_schema": {"type": "int" | "float"}}:
            return "object"
    return _RECEIVED.get(node["type"])


def _takes_json_types(node: Node) -> bool:
    if node["type"] == "is-instance":
        return any(issubclass(each, node["cls"]) for each in (*JSON_SCALARS, list, dict))
    return all(map(_takes_json_types, children_of(node)))


def _has_json_values(node: Node) -> bool:
    values = node.get("expected") or node.get("members") or ()
    return all(
        type(each.value if isinstance(each, enum.Enum) else each) in JSON_SCALARS for each in values
    )


def _imports(node: Node) -> bool:
    """Return whether this is pydantic's ImportString: nothing that a client sends is ever imported."""
    function = node.get("function")
    validate = function.get("function") if isinstance(function, dict) else None
    module, name = getattr(validate, "__module__", None), getattr(validate, "__name__", None)
    return name == "import_string" and str(module).startswith("pydantic.")
