"""Conversion of calls from JSON and of return values to JSON, for functions that are `@typed`."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from django.tasks import Task
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from tasks_api.arguments.binding import Look
from tasks_api.arguments.interface import Interface
from tasks_api.arguments.signatures import Signature
from tasks_api.arguments.value_check import ValueCheck
from tasks_api.exceptions import ArgumentsDoNotFit, ReturnValueDoesNotFit
from tasks_api.faults import Fault

_ATTRIBUTE = "__tasks_api_conversion__"
_MAX_TOLD = 10


class Conversion:
    """
    Converts what a function takes and returns, by its hints.

    The hints are read at the first call or, in a web process, with the registry: then all names in
    them can be resolved.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._interfaces: dict[bool, Interface] = {}

    @staticmethod
    def of(function: Callable[..., Any]) -> "Conversion | None":
        """Return the conversion of a function that is `@typed`; other decorators may be around it."""
        conversion: Conversion | None = getattr(function, _ATTRIBUTE, None)
        return conversion

    def attach_to(self, wrapper: Callable[..., Any]) -> None:
        """Let `of()` find this conversion."""
        setattr(wrapper, _ATTRIBUTE, self)

    def interface(self, *, takes_context: bool) -> Interface:
        """Return the interface of the function, which is built once."""
        if takes_context not in self._interfaces:
            self._interfaces[takes_context] = Interface.of(
                Signature.of(self._function, takes_context=takes_context),
                takes_context=takes_context,
                is_typed=True,
            )
        return self._interfaces[takes_context]

    def arguments(
        self, args: list[Any], kwargs: dict[str, Any], *, takes_context: bool
    ) -> tuple[list[Any], dict[str, Any]]:
        """
        Return the arguments of a call, sent as JSON, as the hints say.

        Raises:
            ArgumentsDoNotFit: the function cannot be called with these.

        """
        return self._bound(args, kwargs, ValueCheck.convert, takes_context)

    def json(
        self, args: list[Any], kwargs: dict[str, Any], *, takes_context: bool
    ) -> tuple[list[Any], dict[str, Any]]:
        """
        Return the JSON of the arguments of a call.

        Raises:
            ArgumentsDoNotFit: the function cannot be called with these.

        """
        try:
            return self._bound(args, kwargs, ValueCheck.dump, takes_context)
        except (PydanticSerializationError, UnicodeDecodeError) as error:
            raise ArgumentsDoNotFit(
                f"An argument of {self._path} cannot be expressed in JSON: {error}"
            ) from None

    def _bound(
        self, args: list[Any], kwargs: dict[str, Any], look: Look, takes_context: bool
    ) -> tuple[list[Any], dict[str, Any]]:
        interface = self.interface(takes_context=takes_context)
        bound = interface.binder.bind(args, kwargs, look)
        if bound.faults:
            raise ArgumentsDoNotFit(
                f"The arguments of {self._path} do not fit its hints. "
                + _listed([_sentence(fault, interface.signature) for fault in bound.faults])
            )
        return bound.args, bound.kwargs

    def result(self, value: Any, *, takes_context: bool) -> Any:
        """
        Return the JSON of a return value.

        Raises:
            ReturnValueDoesNotFit: the value is not what the return hint says, or has no JSON.

        """
        adapter = self.interface(takes_context=takes_context).return_type
        try:
            checked = adapter.validate_python(value, strict=True)
            dumped = adapter.dump_python(checked, mode="json", by_alias=True, warnings="error")
        except ValidationError as error:
            told = [
                f"{'.'.join(map(str, each['loc'])) or 'The value'}: {each['msg']}."
                for each in error.errors(include_url=False, include_input=False)[: _MAX_TOLD + 1]
            ]
            raise ReturnValueDoesNotFit(
                f"The return value of {self._path} does not fit its hint. {_listed(told)}"
            ) from None
        except (PydanticSerializationError, UnicodeDecodeError) as error:
            raise ReturnValueDoesNotFit(
                f"The return value of {self._path} cannot be expressed in JSON: {error}"
            ) from None
        if _loses_keys(checked):
            raise ReturnValueDoesNotFit(
                f"The return value of {self._path} cannot be expressed in JSON: it contains a "
                'dictionary with several keys of the same name, such as 1 and "1".'
            )
        return dumped

    @property
    def _path(self) -> str:
        return f"{self._function.__module__}.{self._function.__qualname__}"


def interface_of(task: "Task[..., Any]") -> Interface:
    """
    Return the interface of a task's function; one that is `@typed` shares it with its calls.

    Raises:
        UnservableSignature: the function cannot be called with JSON values.

    """
    signature = Signature.of(task.func, takes_context=task.takes_context)
    conversion = Conversion.of(task.func)
    if conversion is not None:
        shared = conversion.interface(takes_context=task.takes_context)
        # A decorator between may have changed the signature.
        if shared.signature == signature:
            return shared
    return Interface.of(
        signature, takes_context=task.takes_context, is_typed=conversion is not None
    )


def _sentence(fault: Fault, signature: Signature) -> str:
    """Tell a fault in the terms of the function: the parameter, and the place within its value."""
    _, kind, *within = (fault.pointer or "").split("/")
    if not within:
        return f"The positional arguments: {fault.detail}"
    name, *rest = within
    if kind == "args":
        index, positional, variadic = int(name), signature.positional, signature.var_positional
        if variadic is not None and index >= len(positional):
            name, rest = f"*{variadic.name}", [str(index - len(positional)), *rest]
        else:
            name = positional[index].name
    where = f"`{name}`, at /{'/'.join(rest)}" if rest else f"`{name}`"
    return f"{where}: {fault.detail}"


def _listed(sentences: list[str]) -> str:
    more = ["…"] if len(sentences) > _MAX_TOLD else []
    return " ".join([*sentences[:_MAX_TOLD], *more])


def _loses_keys(value: Any) -> bool:
    """Tell whether several keys of a dictionary within a value become one name of JSON."""
    if isinstance(value, dict):
        has_other_keys = not all(isinstance(key, str) for key in value)
        if has_other_keys and len(to_jsonable_python(dict.fromkeys(value))) < len(value):
            return True
        within: Any = value.values()
    elif isinstance(value, BaseModel):
        within = dict(value).values()
    elif is_dataclass(value):
        within = [getattr(value, each.name, None) for each in fields(value)]
    else:
        within = value if isinstance(value, list | tuple) else ()
    return any(map(_loses_keys, within))
