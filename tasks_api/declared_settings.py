"""Declared settings: each is a field with its type, range, default and description."""

from collections.abc import Mapping
from reprlib import repr as shortened
from typing import Annotated, Any, ClassVar, Self

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Strict, ValidationError

type JsonSchema = dict[str, Any]

Strings = Annotated[tuple[str, ...], Strict(False)]
"""A list of strings, stored as a tuple."""


class DeclaredSettings(BaseModel):
    """
    Settings with names in upper case, as fields in lower case.

    If a field's type does not say which values are allowed, `json_schema_extra` does, under
    `expected`. A field with `repr=False` is a secret: messages do not repeat its value.
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
        Check settings.

        Args:
            given: values by name.
            within: the name of the dict that contains them, such as `TASKS_API`, for messages.

        Raises:
            ImproperlyConfigured: some are unknown or have a wrong value; the message has a line for
                each.

        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            # Report a list only once, however many of its entries are wrong.
            faults = {fault["loc"][0]: fault["msg"] for fault in reversed(error.errors())}
        schemas = cls.schemas()
        lines = []
        for name, message in reversed(faults.items()):
            called = f"{within}[{name!r}]" if within else name
            if name in schemas:
                is_secret = not cls.model_fields[str(name).lower()].repr
                not_this = "" if is_secret else f", not {shortened(given[str(name)])}"
                # What a validator of ours has said.
                reason = message.removeprefix("Value error, ")
                why = f" ({reason})" if reason not in {"", message} else ""
                lines.append(f"{called} must be {cls.expected(schemas[str(name)])}{not_this}{why}.")
            else:
                lines.append(f"{within} has no setting {name!r}; allowed: {', '.join(schemas)}.")
        raise ImproperlyConfigured("\n".join(lines))

    @classmethod
    def schemas(cls) -> dict[str, JsonSchema]:
        """Return the JSON Schema of each setting by its name, in the order of the fields."""
        schemas: dict[str, JsonSchema] = cls.model_json_schema()["properties"]
        return schemas

    @classmethod
    def expected(cls, schema: JsonSchema) -> str:
        """Return which values a setting allows, for example `a whole number, 2 to 200`."""
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
