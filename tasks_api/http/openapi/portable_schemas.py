"""JSON Schemas rewritten, with the same meaning, so that client generators understand them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

type Schema = dict[str, Any]

_VALUES = frozenset({"const", "default", "enum", "example", "examples"})
"""Keywords whose contents are values, not schemas."""
_NAMED = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})
"""Keywords whose contents are schemas by name."""
_ALTERNATIVES = frozenset({"anyOf", "oneOf"})


def portable(schema: Schema) -> Schema:
    """
    Return the schema without constructs that make generators fail or leave a type out.

    Titles are dropped, because some generators use them as class names and so merge classes. Null is
    `const` unless it is one of several types, each type of a mixed `enum` has an `enum` of its own, and
    numbers with fractions have none.
    """
    return _with_null_as_constant(_portable(schema))


def _portable(schema: Schema) -> Schema:
    rewritten = {key: _member(key, value) for key, value in schema.items() if key != "title"}
    return _with_one_type_an_enum(rewritten)


def _member(key: str, value: Any) -> Any:
    match value:
        case _ if key in _VALUES:
            return value
        case dict() if key in _NAMED:
            return {name: _each(each, portable) for name, each in value.items()}
        case list() if key in _ALTERNATIVES:
            return [_each(each, _portable) for each in value]
        case list():
            return [_each(each, portable) for each in value]
        case _:
            return _each(value, portable)


def _each(value: Any, rewrite: Callable[[Schema], Schema]) -> Any:
    return rewrite(value) if isinstance(value, dict) else value


def _with_null_as_constant(schema: Schema) -> Schema:
    if schema.get("type") not in ("null", ["null"]):
        return schema
    return {**{key: value for key, value in schema.items() if key != "type"}, "const": None}


def _with_one_type_an_enum(schema: Schema) -> Schema:
    by_type: dict[type, list[Any]] = {}
    for value in schema.get("enum", ()):
        by_type.setdefault(type(value), []).append(value)
    described = {key: value for key, value in schema.items() if key != "enum"}
    if schema.get("type") == "number":
        # openapi-python-client knows enums of whole numbers and of strings.
        return described
    if len(by_type) < 2 or "type" in schema or "anyOf" in schema:
        return schema
    return {**described, "anyOf": [_enum(values) for values in by_type.values()]}


def _enum(values: list[Any]) -> Schema:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    name = names.get(type(values[0]))
    if name == "null":
        return {"type": "null"}
    if name == "number":
        return {"type": name}
    return {**({"type": name} if name else {}), "enum": values}


def without_endless_arrays(definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """
    Return the definitions with anything in place of a recursive reference that passes no object.

    `type Tree = int | list[Tree]` becomes an integer or an array of anything: clients can name only
    classes, and a type that cannot be written would leave a client without its module.
    """
    refers = {
        name: set() if schema.get("type") == "object" else set(_references(schema))
        for name, schema in definitions.items()
    }
    return {
        name: _without(schema, {other for other in refers[name] if name in _reach(other, refers)})
        for name, schema in definitions.items()
    }


def only_used(definitions: Mapping[str, Schema], by: Iterable[Schema]) -> dict[str, Schema]:
    """Return the definitions that the schemas refer to, directly or indirectly."""
    refers = {name: set(_references(schema)) for name, schema in definitions.items()}
    used = {
        reached
        for schema in by
        for name in _references({**schema, "$defs": {}})
        for reached in _reach(name, refers)
    }
    return {name: schema for name, schema in definitions.items() if name in used}


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference.rpartition("/")[2]
        case dict():
            for each in value.values():
                yield from _references(each)
        case list():
            for each in value:
                yield from _references(each)


def _reach(name: str, refers: Mapping[str, set[str]]) -> set[str]:
    """Return the definitions that are reachable from this one, itself included."""
    reached: set[str] = set()
    ahead = {name}
    while ahead:
        reached |= ahead
        ahead = {other for each in ahead for other in refers[each]} - reached
    return reached


def _without(value: Any, names: set[str]) -> Any:
    match value:
        case {"$ref": str(reference)} if reference.rpartition("/")[2] in names:
            return {}
        case dict():
            return {key: _without(each, names) for key, each in value.items()}
        case list():
            return [_without(each, names) for each in value]
        case _:
            return value
