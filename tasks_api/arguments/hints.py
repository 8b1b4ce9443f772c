"""From a type hint to pydantic's schema of it, made strict, and to what the function receives."""

import enum
from collections.abc import Iterator
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import CoreSchema

from tasks_api.arguments.strictness import NoJSONForm, stricter

UNION_LABEL = "\0"
"""Stands in an error's location for a member of a union: no key that a client sends holds NUL."""

_CHILDREN = (
    "schema",
    "items_schema",
    "keys_schema",
    "values_schema",
    "extras_schema",
    "extras_keys_schema",
    "json_schema",
    "strict_schema",
    "arguments_schema",
    "var_args_schema",
    "var_kwargs_schema",
    "choices",
    "steps",
    "definitions",
    "fields",
)
_WITHOUT_JSON_FORM = {"callable", "is-instance", "is-subclass", "invalid", "ellipsis"}

# What a function receives, for the hints that promise it something else.
_RECEIVED = {
    **dict.fromkeys(("datetime", "date", "time", "timedelta", "uuid", "decimal"), "string"),
    **dict.fromkeys(("bytes", "url", "multi-host-url", "complex", "fraction", "json"), "string"),
    **dict.fromkeys(("model", "dataclass", "ordered-dict", "counter", "frozendict"), "object"),
    **dict.fromkeys(("set", "frozenset", "tuple", "deque", "named-tuple"), "array"),
    "enum": "value",
}
_OPAQUE = {"model", "dataclass"}
_JSON_TYPES = (str, int, float, bool, list, dict, type(None))


class StrictSchema:
    """
    The schema of one hint.

    Attributes:
        schema: pydantic's, made strict.
        received: the kinds of JSON value that the function gets although its hint says otherwise.

    Raises:
        NoJSONForm: nothing in JSON is what the hint says, or pydantic knows no way.

    """

    def __init__(self, hint: Any) -> None:
        self.received: list[str] = []
        self._is_recording = True
        self.schema = cast(CoreSchema, self._strict(core_schema_of(hint)))

    def _strict(self, node: dict[str, Any]) -> dict[str, Any]:
        kind = node.get("type", "")
        if kind in _WITHOUT_JSON_FORM or _imports(node):
            raise NoJSONForm
        self._record(kind, node)
        strict = {**node, **dict(self._strict_children(kind, node))}
        return stricter(strict)

    def _strict_children(self, kind: str, node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for key in _CHILDREN:
            if key not in node:
                continue
            was_recording = self._is_recording
            # Of what lies within an object that the function gets as it is, nothing more is said.
            self._is_recording = was_recording and kind not in _OPAQUE
            yield key, self._strict_child(kind, node[key])
            self._is_recording = was_recording

    def _strict_child(self, kind: str, child: Any) -> Any:
        match child:
            case {"type": str()}:
                return self._strict(child)
            case dict():
                return {name: self._strict_child("", each) for name, each in child.items()}
            case list() if kind == "union":
                choices = (each[0] if isinstance(each, tuple) else each for each in child)
                return [(self._strict(choice), UNION_LABEL) for choice in choices]
            case list():
                return [self._strict_child("", each) for each in child]
            case _:
                return child

    def _record(self, kind: str, node: dict[str, Any]) -> None:
        received = _RECEIVED.get(kind)
        if kind == "json-or-python" and not _takes_json_types(node["python_schema"]):
            received = "value"
        if kind == "literal" and any(isinstance(each, enum.Enum) for each in node["expected"]):
            received = "value"
        if kind == "dict" and node.get("keys_schema", {}).get("type", "any") in {"int", "float"}:
            received = "object"
        if kind == "model" and node.get("root_model"):
            received = "value"
        if received and self._is_recording and received not in self.received:
            self.received.append(received)


def _imports(node: dict[str, Any]) -> bool:
    """Say whether this is pydantic's ImportString: nothing that a client sends is ever imported."""
    function = node.get("function")
    validate = function.get("function") if isinstance(function, dict) else None
    module, name = getattr(validate, "__module__", None), getattr(validate, "__name__", None)
    return name == "import_string" and str(module).startswith("pydantic.")


def core_schema_of(hint: Any) -> dict[str, Any]:
    """
    Return pydantic's own schema of a hint.

    Raises:
        NoJSONForm: pydantic knows no schema, or a name within the hint cannot be resolved.

    """
    try:
        schema = TypeAdapter(hint).core_schema
        # A class whose own names are unresolved yields a stand-in that fails when it is read.
        return dict(schema)
    except Exception as error:
        raise NoJSONForm from error


def children_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas directly within one of pydantic's."""
    for key in _CHILDREN:
        child: Any = node.get(key)
        match child:
            case {"type": str()}:
                yield child
            case dict() as children:
                yield from children.values()
            case list() as children:
                yield from (each[0] if isinstance(each, tuple) else each for each in children)


def _takes_json_types(node: dict[str, Any]) -> bool:
    if node["type"] == "is-instance":
        return any(issubclass(each, node["cls"]) for each in _JSON_TYPES)
    nested = [*node.get("steps", ()), *node.get("choices", ())]
    return all(_takes_json_types(each) for each in nested if isinstance(each, dict))
