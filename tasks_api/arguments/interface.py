"""What a function takes and returns by its hints: checks of values, and warnings for its author."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import CoreSchema, core_schema

from tasks_api.arguments.binding import Argument, Binder, Further
from tasks_api.arguments.core_schemas import (
    NoJSONForm,
    adapter_of,
    core_schema_of,
    received,
    runs_code,
)
from tasks_api.arguments.hint_json_schema import PublishedSchema, return_schema, stored_schema
from tasks_api.arguments.signatures import Parameter, Signature, Variadic
from tasks_api.arguments.strict_schema import strict_schema
from tasks_api.arguments.value_check import ValueCheck

_ANYTHING = core_schema.any_schema()
_ANY_RESULT: TypeAdapter[Any] = TypeAdapter(Any)
_TYPED = "the decorator `tasks_api.typed.typed` below `@task`"


@dataclass(frozen=True, slots=True)
class Interface:
    """
    The parameters and the return value of a function, ready to check values against.

    Attributes:
        return_type: what converts the return values of a function that is `@typed` to JSON.
        return_value: JSON Schema of the return value as stored, None if there is no usable hint.
        warnings: sentences for the author of the function.

    """

    signature: Signature
    binder: Binder
    return_type: TypeAdapter[Any]
    return_value: dict[str, Any] | None
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, signature: Signature, *, takes_context: bool, is_typed: bool) -> "Interface":
        """Build the checks; with `is_typed`, values are converted by the hints."""
        return _Builder(signature, takes_context, is_typed).build()


class _Builder:
    def __init__(self, signature: Signature, takes_context: bool, is_typed: bool) -> None:
        self.signature = signature
        self.takes_context = takes_context
        self.is_typed = is_typed
        self.warnings = [
            f"The hint of `{name}` cannot be resolved ({reason}), so its values are not checked."
            for name, reason in signature.unresolved
        ]

    def build(self) -> Interface:
        binder = self._binder()
        described, adapter = self._stored() if self.is_typed else (self._returned(), _ANY_RESULT)
        # The schema of `Any` and similar hints is empty.
        return Interface(self.signature, binder, adapter, described or None, tuple(self.warnings))

    def _binder(self) -> Binder:
        signature = self.signature
        return Binder(
            positional=tuple(
                self._argument(parameter, position)
                for position, parameter in enumerate(signature.positional)
            ),
            keyword_only=tuple(self._argument(each, None) for each in signature.keyword_only),
            rest=self._further(signature.var_positional, core_schema.list_schema),
            others=self._further(
                signature.var_keyword, lambda schema: core_schema.dict_schema(values_schema=schema)
            ),
            # Django passes the context by position, and the task itself as `self`.
            refused_keywords=frozenset({"self", "context"} if self.takes_context else {"self"}),
        )

    def _further(
        self, variadic: Variadic | None, all_of: Callable[[CoreSchema], CoreSchema]
    ) -> Further | None:
        if variadic is None:
            return None
        schema, copies = self._schema(
            variadic.name, variadic.hint, is_unpacked=variadic.is_unpacked
        )
        is_unpacked = variadic.is_unpacked and schema is not _ANYTHING
        values = ValueCheck(schema if is_unpacked else all_of(schema), copies=copies)
        return Further(variadic.name, schema, values, is_unpacked)

    def _argument(self, parameter: Parameter, position: int | None) -> Argument:
        if parameter.name == "self":
            self.warnings.append(
                "`self` can be passed only by position, because Django uses the keyword: rename the "
                "parameter."
            )
        schema, copies = self._schema(parameter.name, parameter.hint)
        return Argument(
            name=parameter.name,
            position=position,
            is_required=parameter.is_required,
            takes_keyword=parameter.takes_keyword,
            schema=schema,
            value=ValueCheck(schema, copies=copies),
        )

    def _schema(
        self, name: str, hint: Any, *, is_unpacked: bool = False
    ) -> tuple[CoreSchema, bool]:
        """
        Return a hint's strict schema, and whether it runs code of others.

        A hint that JSON cannot express accepts any value.
        """
        if hint is None:
            return _ANYTHING, False
        shown = inspect.formatannotation(hint)
        try:
            core = core_schema_of(hint)
            kinds = dict.fromkeys(received(core))
            schema = strict_schema(core)
            ValueCheck(schema, copies=False)
            PublishedSchema().generate(schema)
        except Exception:  # noqa: BLE001, RUF100 -- no odd hint may break start-up
            self.warnings.append(
                f"The hint of `{name}`, {shown}, cannot be expressed in JSON: any JSON value is "
                "accepted."
            )
            return _ANYTHING, False
        if kinds and not is_unpacked and not self.is_typed:
            self.warnings.append(
                f"The hint of `{name}` is {shown}, but the function receives the JSON "
                f"{' and the '.join(kinds)} as it was sent; with {_TYPED}, it receives what the hint "
                "says."
            )
        return schema, runs_code(core)

    def _returned(self) -> dict[str, Any] | None:
        """Describe what the function returns, if a backend can store it."""
        hint = self.signature.return_hint
        if hint is None:
            return None
        try:
            return return_schema(core_schema_of(hint))
        except NoJSONForm:
            self._warn_of_return(f"so its values cannot be stored{self._as_typed(hint)}")
            return None

    def _stored(self) -> tuple[dict[str, Any] | None, TypeAdapter[Any]]:
        """Describe the JSON of what the function returns, and return what makes it."""
        hint = self.signature.return_hint
        try:
            adapter = adapter_of(Any if hint is None else hint)
            return stored_schema(dict(adapter.core_schema)), adapter
        except NoJSONForm:
            self._warn_of_return("so its values are not checked")
            return None, _ANY_RESULT

    def _warn_of_return(self, so: str) -> None:
        shown = inspect.formatannotation(self.signature.return_hint)
        self.warnings.append(f"The return hint, {shown}, cannot be expressed in JSON, {so}.")

    @staticmethod
    def _as_typed(hint: Any) -> str:
        try:
            stored_schema(core_schema_of(hint))
        except NoJSONForm:
            return ""
        return f"; with {_TYPED}, their JSON is"
