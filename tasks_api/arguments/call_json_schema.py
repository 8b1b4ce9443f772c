"""
The JSON Schema of a call, `{"args": […], "kwargs": {…}}`, and an example of one.

The schema describes the call by keyword: `args` has only what cannot be passed by keyword.
"""

from typing import Any

from tasks_api.arguments.binding import Argument, Binder, Further
from tasks_api.arguments.examples import example_of
from tasks_api.arguments.hint_json_schema import PreciseSchema, PublishedSchema, describe


def call_schema(binder: Binder) -> dict[str, Any]:
    """Describe the calls that a function accepts."""
    by_position = _by_position(binder)
    # `*args` after named parameters is described only in words: to reach it, `args` would have to
    # contain the arguments that the schema requires by name.
    rest = binder.rest if len(by_position) == len(binder.positional) else None
    keywords = [each for each in binder.by_keyword.values() if each not in by_position]
    kwargs = describe(
        {argument.name: argument.schema for argument in keywords},
        required=frozenset(argument.name for argument in keywords if argument.is_required),
        extras=binder.others.schema if binder.others else None,
        generator=PublishedSchema,
    )
    if binder.rest and not rest:
        kwargs["description"] = f"For `*{binder.rest.name}`, pass all arguments in `args` instead."
    members = {"kwargs": kwargs}
    if by_position or rest:
        members = {"args": _args_schema(by_position, rest), **members}
    definitions = {
        name: definition
        for member in members.values()
        for name, definition in member.pop("$defs", {}).items()
    }
    required = [
        name for name, member in members.items() if member.get("required") or member.get("minItems")
    ]
    return {
        "type": "object",
        "properties": members,
        **({"required": required} if required else {}),
        "additionalProperties": False,
        **({"$defs": definitions} if definitions else {}),
    }


def example_call(binder: Binder) -> dict[str, Any]:
    """
    Return a call with only the required arguments, without empty `args` or `kwargs`.

    Raises:
        NoExample: no value can be derived for one of them.

    """
    by_position = _by_position(binder)
    required = [argument for argument in binder if argument.is_required]
    described = describe(
        {argument.name: argument.schema for argument in required},
        required=frozenset(argument.name for argument in required),
        extras=None,
        generator=PreciseSchema,
    )
    values = example_of(described, described.get("$defs", {}))
    args = [values[argument.name] for argument in required if argument in by_position]
    kwargs = {each.name: values[each.name] for each in required if each not in by_position}
    return {**({"args": args} if args else {}), **({"kwargs": kwargs} if kwargs else {})}


def _by_position(binder: Binder) -> tuple[Argument, ...]:
    """
    Return the leading arguments that a described call passes by position.

    An optional `self` is not among them: it is left out, so that the others can be passed by name.
    """
    end = max(
        (
            position + 1
            for position, argument in enumerate(binder.positional)
            if not argument.takes_keyword and (argument.name != "self" or argument.is_required)
        ),
        default=0,
    )
    return binder.positional[:end]


def _args_schema(by_position: tuple[Argument, ...], rest: Further | None) -> dict[str, Any]:
    """Describe an array; its items are described only if all are alike, as generators need it."""
    schemas = {argument.name: argument.schema for argument in by_position}
    if rest:
        schemas[f"*{rest.name}"] = rest.schema
    described = describe(schemas, frozenset(), None, generator=PublishedSchema)
    *_, last = items = list(described["properties"].values())
    if rest and rest.is_unpacked:
        items[-1] = last.get("items", {})
    alike = all(each == items[0] for each in items)
    shortest = sum(argument.is_required for argument in by_position)
    return {
        "type": "array",
        "items": items[0] if alike else {},
        **({"minItems": shortest} if shortest else {}),
        **({} if rest else {"maxItems": len(by_position)}),
        "description": f"By position: {', '.join(schemas)}.",
        **({"$defs": described["$defs"]} if alike and "$defs" in described else {}),
    }
