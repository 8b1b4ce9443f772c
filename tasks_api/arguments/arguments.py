"""The arguments of one task type: their check, their JSON Schema, and warnings for the author."""

from dataclasses import dataclass
from typing import Any

from django.tasks import Task

from tasks_api.arguments.binding import Binder
from tasks_api.arguments.call_json_schema import call_schema, example_call
from tasks_api.arguments.conversion import interface_of
from tasks_api.arguments.value_check import ValueCheck
from tasks_api.problems import InvalidArguments


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
        interface = interface_of(task)
        return cls(
            schema=call_schema(interface.binder),
            return_value=interface.return_value,
            warnings=interface.warnings,
            example=_example(interface.binder),
            _binder=interface.binder,
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


def _example(binder: Binder) -> dict[str, Any] | None:
    try:
        example = example_call(binder)
    except Exception:  # noqa: BLE001, RUF100 -- NoExample, or whatever a class put in its JSON Schema
        return None
    # A validator of a model may require more than its JSON Schema says.
    args, kwargs = example.get("args", []), example.get("kwargs", {})
    return None if binder.bind(args, kwargs, ValueCheck.check).faults else example
