"""JSON Schemas (2020-12) of what pydantic checks, in a form that client generators understand."""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import CoreSchema, core_schema

from tasks_api.arguments.core_schemas import Node, NoJSONForm, children_of

_DEFINITIONS = "#/$defs/"
_INT64 = range(-(2**63), 2**63)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

# What Django's normalize_json() and then json.dumps() accept.
# fmt: off
_RETURNABLE = frozenset({
    "any", "none", "bool", "int", "float", "str", "bytes", "literal", "enum", "list", "tuple",
    "deque", "dict", "ordered-dict", "counter", "generator", "typed-dict", "typed-dict-field",
    "named-tuple", "named-tuple-field", "default", "nullable", "union", "tagged-union",
    "definitions", "definition-ref", "function-before", "function-after", "function-wrap",
    "json-or-python", "never",
})
# fmt: on


class PreciseSchema(GenerateJsonSchema):
    """
    Describes a schema as precisely as JSON Schema can; definitions have qualified names.

    A definition is named after its class, `shop.orders.Order`, so that classes with the same bare
    name stay apart.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(ref_template=_DEFINITIONS + "{model}", **options)

    def get_defs_ref(self, core_mode_ref: Any) -> Any:
        """Name a definition; with slashes instead of dots, pydantic keeps the module."""
        core_ref, mode = core_mode_ref
        head, bracket, arguments = core_ref.partition("[")
        # `shop.Page:940[shop.Order:941]` is Page_Order of the module `shop`.
        arguments = re.sub(r"[\w.]+\.", "", bracket + arguments)
        return super().get_defs_ref((head.replace(".", "/") + arguments, mode))

    def normalize_name(self, name: str) -> str:
        return re.sub(r"[^\w.-]+", "_", name.replace("/", "."), flags=re.ASCII).strip("_")

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles that only repeat a member's name."""
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Ignore warnings: what cannot be described is described as any value."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        """Leave the default out: some generated clients would send it."""
        return self.generate_inner(schema["schema"])

    def bytes_schema(self, schema: core_schema.BytesSchema) -> dict[str, Any]:
        """Describe bytes as a string: to generators, `format: binary` is an uploaded file."""
        described = super().bytes_schema(schema)
        del described["format"]
        return described

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> dict[str, Any]:
        """Describe times without an offset as such: RFC 3339's `date-time` has one."""
        described = super().datetime_schema(schema)
        if schema.get("tz_constraint") == "naive":
            described["format"] = "date-time-local"
        return described

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        return {"type": "string", "format": "decimal"}

    def fraction_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "string", "format": "fraction"}

    def int_schema(self, schema: core_schema.IntSchema) -> dict[str, Any]:
        """Describe an integer as int64, so that clients use 64 bits; the server accepts any size."""
        described = super().int_schema(schema)
        if all(described[bound] in _INT64 for bound in _BOUNDS if bound in described):
            described["format"] = "int64"
        return described

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> dict[str, Any]:
        """Name a discriminator only if its values are strings, as OpenAPI wants it."""
        described = super().tagged_union_schema(schema)
        tags = (tag.value if isinstance(tag, Enum) else tag for tag in schema["choices"])
        if not all(isinstance(tag, str) for tag in tags):
            described.pop("discriminator", None)
        return described

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        described = super().model_schema(schema)
        is_closed = schema.get("config", {}).get("extra_fields_behavior") == "forbid"
        if is_closed and described.get("type") == "object":
            described.setdefault("additionalProperties", False)
        return described


class PublishedSchema(PreciseSchema):
    """Describes a tuple as a plain array: `prefixItems` and `items: false` break generators."""

    def tuple_schema(self, schema: core_schema.TupleSchema) -> dict[str, Any]:
        return _plain_array(super().tuple_schema(schema))

    def named_tuple_schema(self, schema: core_schema.NamedTupleSchema) -> dict[str, Any]:
        return _plain_array(super().named_tuple_schema(schema))


def return_schema(schema: Node) -> dict[str, Any]:
    """
    Describe the JSON of a function's return value as a backend stores it.

    Raises:
        NoJSONForm: a backend cannot store a value of this schema.

    """
    if not _is_returnable(schema):
        raise NoJSONForm
    return _output(schema, "validation")


def stored_schema(schema: Node) -> dict[str, Any]:
    """
    Describe the JSON that pydantic makes of a return value.

    Raises:
        NoJSONForm: it can make none.

    """
    return _output(schema, "serialization")


def _output(schema: Node, mode: JsonSchemaMode) -> dict[str, Any]:
    try:
        described = PublishedSchema().generate(cast(CoreSchema, schema), mode)
    except Exception as error:
        raise NoJSONForm from error
    definitions = described.get("$defs", {})
    # Unlike in arguments, objects in answers may have more members: definitions are not shared.
    renamed = with_refs(described, lambda name: f"{_DEFINITIONS}{name}-Output")
    if definitions:
        renamed["$defs"] = {
            f"{name}-Output": with_refs(definition, lambda name: f"{_DEFINITIONS}{name}-Output")
            for name, definition in definitions.items()
        }
    return renamed


def describe(
    schemas: Mapping[str, CoreSchema],
    required: frozenset[str],
    extras: CoreSchema | None,
    *,
    generator: type[PreciseSchema],
) -> dict[str, Any]:
    """Describe an object with these members; `extras` is the schema of all others."""
    return generator().generate(
        core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(schema, required=name in required)
                for name, schema in schemas.items()
            },
            extra_behavior="forbid" if extras is None else "allow",
            extras_schema=extras,
        )
    )


def with_refs(schema: Mapping[str, Any], place: Callable[[str], str]) -> dict[str, Any]:
    """
    Return the schema without its `$defs`; `place` maps a definition's name to its new reference.

    `with_refs(schema, lambda name: f"#/components/schemas/{name}")` moves them to components.
    """
    return {key: _with_refs(value, place) for key, value in schema.items() if key != "$defs"}


def _with_refs(value: Any, place: Callable[[str], str]) -> Any:
    match value:
        case dict():
            return {key: _with_refs(each, place) for key, each in value.items()}
        case list():
            return [_with_refs(each, place) for each in value]
        case str() if value.startswith(_DEFINITIONS):
            return place(value.removeprefix(_DEFINITIONS))
        case _:
            return value


def _plain_array(described: dict[str, Any]) -> dict[str, Any]:
    items = described.pop("prefixItems", None)
    if items is not None:
        alike = bool(items) and all(item == items[0] for item in items)
        described["items"] = items[0] if alike else {}
    if not isinstance(described.get("items"), dict):
        described["items"] = {}
    return described


def _is_returnable(node: dict[str, Any]) -> bool:
    kind = node.get("type", "")
    if kind not in _RETURNABLE:
        return False
    if kind == "enum" and not issubclass(node["cls"], str | int | float):
        return False
    return all(map(_is_returnable, children_of(node)))
