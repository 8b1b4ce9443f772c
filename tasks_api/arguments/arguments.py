"""The arguments of one task type: their check, their JSON Schema, and warnings for the author."""

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
    The arguments of one task type; built once, with the registry.

    Attributes:
        schema: JSON Schema of `{"args": […], "kwargs": {…}}`. It describes the call by keyword;
            `check()` accepts positional arguments too.
        return_value: JSON Schema of the return value, None if there is no usable hint.
        warnings: sentences for the author of the task, shown by the system check.
        example: the shortest valid call, without empty `args` or `kwargs`; None if no value can be
            derived.

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
            UnservableSignature: the function cannot be called with JSON values.

        """
        signature = Signature.of(task)
        warnings = [
            f"The hint of `{name}` contains an undefined name, so its values are not checked."
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

    def check(self, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """
        Check that the function accepts a call, and return the arguments to store.

        They are those that were sent, without defaults. Only an integer that was written as `1.0` or
        `1e2` is stored as an integer. Pointers are relative to the body of the request: `/args/0`, `/kwargs/items/3/name`.

        Raises:
            InvalidArguments: 400, with the faults of the call.

        """
        bound = self._binder.bind(args, kwargs, ValueCheck.check)
        if bound.faults:
            raise InvalidArguments(faults=bound.faults)
        return bound.args, bound.kwargs


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
        # Django passes the context by position, and the task itself as `self`.
        refused_keywords=frozenset({"self", "context"} if takes_context else {"self"}),
    )


def _argument(parameter: Parameter, position: int | None, warnings: list[str]) -> Argument:
    if parameter.name == "self":
        warnings.append(
            "`self` can be passed only by position, because Django uses the keyword: rename the "
            "parameter."
        )
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
        warnings.append(
            f"The hint of `{name}`, {shown}, cannot be expressed in JSON: any JSON value is accepted."
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
        # The schema of `Any` and similar hints is empty.
        return return_schema(hint) or None
    except NoJSONForm:
        shown = inspect.formatannotation(hint)
        warnings.append(
            f"The return hint, {shown}, cannot be expressed in JSON, so its values cannot be stored."
        )
        return None


def _example(binder: Binder) -> dict[str, Any] | None:
    try:
        example = example_call(binder)
    except Exception:  # noqa: BLE001, RUF100 -- NoExample, or whatever a class put in its JSON Schema
        return None
    # A validator of a model may require more than its JSON Schema says.
    args, kwargs = example.get("args", []), example.get("kwargs", {})
    return None if binder.bind(args, kwargs, ValueCheck.check).faults else example
