"""The arguments of one task type: what checks them, describes them, and is said to its author."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.tasks import Task
from pydantic_core import CoreSchema, core_schema

from tasks_api.arguments.binding import Argument, Binder, Further
from tasks_api.arguments.call_json_schema import call_schema, example_call
from tasks_api.arguments.core_schemas import NoJSONForm, core_schema_of, received, runs_code
from tasks_api.arguments.hint_json_schema import PublishedSchema, return_schema
from tasks_api.arguments.signatures import Parameter, Signature, Variadic
from tasks_api.arguments.strict_schema import strict_schema
from tasks_api.arguments.value_check import ValueCheck
from tasks_api.problems import InvalidArguments

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
        binder = _binder(signature, warnings, takes_context=task.takes_context)
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


def _binder(signature: Signature, warnings: list[str], *, takes_context: bool) -> Binder:
    def further(
        variadic: Variadic | None, all_of: Callable[[CoreSchema], CoreSchema]
    ) -> Further | None:
        if variadic is None:
            return None
        schema, copies = _schema(
            variadic.name, variadic.hint, warnings, is_unpacked=variadic.is_unpacked
        )
        is_unpacked = variadic.is_unpacked and schema is not _ANYTHING
        values = ValueCheck(schema if is_unpacked else all_of(schema), copies=copies)
        return Further(variadic.name, schema, values, is_unpacked)

    return Binder(
        positional=tuple(
            _argument(parameter, position, warnings)
            for position, parameter in enumerate(signature.positional)
        ),
        keyword_only=tuple(_argument(each, None, warnings) for each in signature.keyword_only),
        rest=further(signature.var_positional, core_schema.list_schema),
        others=further(
            signature.var_keyword, lambda schema: core_schema.dict_schema(values_schema=schema)
        ),
        # Django passes the context by position, and itself under the name of `self`.
        refused_keywords=frozenset({"self", "context"} if takes_context else {"self"}),
    )


def _argument(parameter: Parameter, position: int | None, warnings: list[str]) -> Argument:
    if parameter.name == "self":
        warnings.append("`self` takes a positional argument only: rename the parameter.")
    schema, copies = _schema(parameter.name, parameter.hint, warnings)
    return Argument(
        name=parameter.name,
        position=position,
        is_required=parameter.is_required,
        takes_keyword=parameter.takes_keyword,
        schema=schema,
        value=ValueCheck(schema, copies=copies),
    )


def _schema(
    name: str, hint: Any, warnings: list[str], *, is_unpacked: bool = False
) -> tuple[CoreSchema, bool]:
    """
    Return a hint's strict schema, and whether it runs code of others.

    A hint that JSON has no form for takes any value.
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
        warnings.append(
            f"The hint of `{name}`, {shown}, has no JSON form: any JSON value is let in."
        )
        return _ANYTHING, False
    if kinds and not is_unpacked:
        warnings.append(
            f"The hint of `{name}` is {shown}, but the function receives the JSON "
            f"{' and the '.join(kinds)} as it was sent."
        )
    return schema, runs_code(core)


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
