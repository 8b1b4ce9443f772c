"""How settings are declared: each is a field, with its type, range, default and help."""

from collections.abc import Mapping
from reprlib import repr as shortened
from typing import Annotated, Any, ClassVar, Self

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Strict, ValidationError

type JsonSchema = dict[str, Any]

Strings = Annotated[tuple[str, ...], Strict(False)]
"""What a list of strings becomes."""


class DeclaredSettings(BaseModel):
    """
    Settings in upper case, as fields in lower case.

    A field whose rule its type does not say has a `json_schema_extra` with the words for it, under
    `expected`.
    """

    types: ClassVar[dict[str, str]] = {
        "array": "a list of strings",
        "boolean": "True or False",
        "string": "a string",
    }
    model_config = ConfigDict(
        alias_generator=str.upper,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        strict=True,
    )

    @classmethod
    def checked(cls, given: Mapping[str, Any], *, within: str = "") -> Self:
        """
        Check settings by their names.

        Args:
            given: values by names.
            within: the dict that they stand in, e.g. `TASKS_API`, as messages call it.

        Raises:
            ImproperlyConfigured: some are unknown or have a wrong value; the message has a line for
                each.

        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            # A list is at fault once, however many of its entries are.
            names = dict.fromkeys(fault["loc"][0] for fault in error.errors())
        schemas = cls.schemas()
        lines = []
        for name in names:
            called = f"{within}[{name!r}]" if within else name
            if name in schemas:
                value = shortened(given[str(name)])
                lines.append(f"{called} must be {cls.expected(schemas[str(name)])}, not {value}.")
            else:
                lines.append(f"{within} has no setting {name!r}; there are: {', '.join(schemas)}.")
        raise ImproperlyConfigured("\n".join(lines))

    @classmethod
    def schemas(cls) -> dict[str, JsonSchema]:
        """Return the JSON Schema of each setting by its name, in the order of the fields."""
        schemas: dict[str, JsonSchema] = cls.model_json_schema()["properties"]
        return schemas

    @classmethod
    def expected(cls, schema: JsonSchema) -> str:
        """Say which values a setting takes, e.g. `a whole number, 2 to 200`."""
        match schema:
            case {"expected": str(words)}:
                return words
            case {"anyOf": [one, {"type": "null"}]}:
                return f"{cls.expected(one)}, or None"
            case {"enum": [*others, last]}:
                return f"{', '.join(others)} or {last}"
            case {"type": "integer"}:
                return f"a whole number, {schema['minimum']} to {schema['maximum']}"
        return cls.types[schema["type"]]
