"""What a task type takes and gives: a check of calls, JSON Schemas, and warnings for its author."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.tasks import Task
from pydantic_core import CoreSchema, core_schema

from tasks_api.arguments.binding import Argument, Binder, Further
from tasks_api.arguments.call_schema import call_schema, example_call
from tasks_api.arguments.hints import StrictSchema
from tasks_api.arguments.json_schemas import PublishedSchema, return_schema
from tasks_api.arguments.signatures import Parameter, Signature, UnservableSignature, Variadic
from tasks_api.arguments.strictness import NoJSONForm
from tasks_api.arguments.values import ValueCheck
from tasks_api.problems import InvalidArguments

__all__ = ["Arguments", "UnservableSignature"]

_ANYTHING = core_schema.any_schema()


@dataclass(frozen=True)
class Arguments:
    """
    The arguments of one task type; built once, when the registry is.

    Attributes:
        schema: JSON Schema of `{"args": […], "kwargs": {…}}`. It describes the call by keyword;
            `check()` takes positional arguments too.
        return_value: JSON Schema of the return value, None where no hint gives one.
        warnings: sentences for the author of the task, shown by the system check.
        example: the shortest call that fits, without empty `args` or `kwargs`; None where no value
            can be derived.

    """

    schema: dict[str, Any]
    return_value: dict[str, Any] | None
    warnings: tuple[str, ...]
    example: dict[str, Any] | None
    _binder: Binder

    @classmethod
    def of(cls, task: "Task[..., Any]") -> "Arguments":
        """
        Build the arguments of a task type.

        Raises:
            UnservableSignature: no JSON could ever call the function.

        """
        signature = Signature.of(task)
        warnings = [
            f"The hint of `{name}` names something that is not defined: it says nothing."
            for name in signature.unresolved
        ]
        binder = _Builder(warnings).binder(signature, takes_context=task.takes_context)
        return cls(
            schema=call_schema(binder),
            return_value=_return_value(signature.return_hint, warnings),
            warnings=tuple(warnings),
            example=_example(binder),
            _binder=binder,
        )

    def check(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        """
        Let a call pass that the function takes; nothing of it is changed, defaults included.

        Pointers are relative to the body of the request: `/args/0`, `/kwargs/items/3/name`.

        Raises:
            InvalidArguments: with all faults of the call, a hundred at most (400).

        """
        if faults := self._binder.faults(args, kwargs):
            raise InvalidArguments(faults=faults)


class _Builder:
    """Makes a binder of a signature, and collects warnings on the way."""

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings

    def binder(self, signature: Signature, *, takes_context: bool) -> Binder:
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
            # Django passes the context by position, and itself under the name of `self`.
            refused_keywords=frozenset({"self", "context"} if takes_context else {"self"}),
        )

    def _argument(self, parameter: Parameter, position: int | None) -> Argument:
        if parameter.name == "self":
            self._warnings.append("`self` takes a positional argument only: rename the parameter.")
        schema = self._schema(parameter.name, parameter.hint)
        return Argument(
            name=parameter.name,
            position=position,
            is_required=parameter.is_required,
            takes_keyword=parameter.takes_keyword,
            schema=schema,
            value=ValueCheck(schema),
        )

    def _further(
        self, variadic: Variadic | None, all_of: Callable[[CoreSchema], CoreSchema]
    ) -> Further | None:
        if variadic is None:
            return None
        schema = self._schema(variadic.name, variadic.hint, is_whole=variadic.is_whole)
        is_whole = variadic.is_whole and schema is not _ANYTHING
        values = ValueCheck(schema if is_whole else all_of(schema))
        return Further(variadic.name, schema, values, is_whole)

    def _schema(self, name: str, hint: Any, *, is_whole: bool = False) -> CoreSchema:
        """Return a hint's schema; a hint that JSON has no form for takes any value."""
        if hint is None:
            return _ANYTHING
        shown = inspect.formatannotation(hint)
        try:
            strict = StrictSchema(hint)
            ValueCheck(strict.schema)
            PublishedSchema().generate(strict.schema)
        except Exception:  # noqa: BLE001, RUF100 -- no odd hint may break start-up
            self._warnings.append(
                f"The hint of `{name}`, {shown}, has no JSON form: any JSON value is let in."
            )
            return _ANYTHING
        if strict.received and not is_whole:
            self._warnings.append(
                f"The hint of `{name}` is {shown}, but the function receives the JSON "
                f"{' and the '.join(strict.received)} as it was sent."
            )
        return strict.schema


def _return_value(hint: Any, warnings: list[str]) -> dict[str, Any] | None:
    if hint is None:
        return None
    try:
        # `Any` and its like describe nothing.
        return return_schema(hint) or None
    except NoJSONForm:
        shown = inspect.formatannotation(hint)
        warnings.append(f"The return hint, {shown}, has no JSON form: no backend could store it.")
        return None


def _example(binder: Binder) -> dict[str, Any] | None:
    try:
        example = example_call(binder)
    except Exception:  # noqa: BLE001, RUF100 -- NoExample, or whatever a class put in its JSON Schema
        return None
    # A validator of somebody's model may want more than its JSON Schema says.
    fits = not binder.faults(example.get("args", []), example.get("kwargs", {}))
    return example if fits else None
