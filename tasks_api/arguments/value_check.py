"""The check of one JSON value against its hint."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import cached_property
from itertools import islice
from typing import Any, cast

from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator, ValidationError

from tasks_api.arguments.attempts import TooManyAttempts, counting_attempts, limited_attempts
from tasks_api.arguments.core_schemas import Node, contains
from tasks_api.arguments.first_fault import first_fault_schema, may_have_large_errors
from tasks_api.arguments.value_faults import TOO_DEEP, VALUE_ERROR, faults_of
from tasks_api.arguments.whole_numbers import has_whole_float, with_integers, with_whole_floats
from tasks_api.faults import MAX_FAULTS, Fault


class _Schema:
    """A strict schema, as what is needed of it is built: most clients never send `1.0`."""

    def __init__(self, schema: CoreSchema) -> None:
        self._schema = schema
        self.validate = _validation(schema)

    @cached_property
    def validate_whole_floats(self) -> Callable[..., Any]:
        return _validation(with_whole_floats(self._schema))


class ValueCheck:
    """
    Checks JSON values strictly, as a hint says.

    With `copies`, it checks a copy: the hint runs somebody's own code, which may change its input,
    and what is stored is what was sent.

    All faults of a small value are reported, but only the first ones of a large value: the memory
    for all of them would be many times that of the value.
    """

    def __init__(self, schema: CoreSchema, *, copies: bool) -> None:
        node = cast(Node, schema)
        self._is_recursive = contains(node, "definitions")
        self._schema = counting_attempts(schema) if self._is_recursive else schema
        self._copies = copies
        self._all_faults = _Schema(self._schema)
        # A string that contains JSON: how much is not known before.
        self._hides_values = contains(node, "json")

    @cached_property
    def _first_fault(self) -> _Schema:
        return _Schema(first_fault_schema(self._schema))

    def check(self, value: Any, *at: str | int, first: int = 0) -> tuple[Any, list[Fault]]:
        """
        Return the value to store and its faults at this path in the body, `MAX_FAULTS` at most.

        The value to store is the one that was sent, with integers that were written as `1.0` as such.
        The value may be the part of an array there from index `first` on.
        """
        try:
            stored, _, faults = self._examined(value, at, first, tells=False)
        except Exception:  # noqa: BLE001, RUF100 -- a custom validator may raise anything
            return value, [Fault.at(*VALUE_ERROR, *at)]
        return stored, faults

    def convert(self, value: Any, *at: str | int, first: int = 0) -> tuple[Any, list[Fault]]:
        """
        Return what the hint makes of a value, and its faults, with the messages of custom validators.

        Raises whatever else than a fault a custom validator raises.
        """
        _, converted, faults = self._examined(value, at, first, tells=True)
        return converted, faults

    def dump(self, value: Any, *at: str | int, first: int = 0) -> tuple[Any, list[Fault]]:
        """Return the JSON of a value as its hint says, and the faults of that JSON."""
        serializer = SchemaSerializer(self._schema)
        dumped = serializer.to_python(value, mode="json", by_alias=True, warnings="none")
        return self.check(dumped, *at, first=first)

    def _examined(
        self, value: Any, at: tuple[str | int, ...], first: int, *, tells: bool
    ) -> tuple[Any, Any, list[Fault]]:
        """Return the value to store, what the hint makes of it, and its faults."""
        is_large = self._hides_values or may_have_large_errors(value)
        schema = self._first_fault if is_large else self._all_faults
        try:
            try:
                return value, self._validated(value, schema), []
            except ValidationError as error:
                if not has_whole_float(value):
                    return value, value, _faults(error, value, at, first, tells)
            stored = with_integers(value, self._whole_floats(value, schema))
            try:
                return stored, self._validated(stored, schema), []
            except ValidationError as error:
                return stored, stored, _faults(error, stored, at, first, tells)
        except TooManyAttempts:
            return value, value, [Fault.at(*TOO_DEEP, *at)]

    def _validated(self, value: Any, schema: _Schema) -> Any:
        with limited_attempts(value) if self._is_recursive else nullcontext():
            return schema.validate(_copy(value) if self._copies else value)

    def _whole_floats(self, value: Any, schema: _Schema) -> list[float]:
        """Return the floats in a value for which the hint asks for integers."""
        found: list[float] = []
        with suppress(Exception), limited_attempts(value):
            copy = _copy(value) if self._copies else value
            schema.validate_whole_floats(copy, context=found)
        return found


def _faults(
    error: ValidationError, value: Any, at: tuple[str | int, ...], first: int, tells: bool
) -> list[Fault]:
    return list(islice(faults_of(error, value, at, first, tells_messages=tells), MAX_FAULTS))


def _validation(schema: CoreSchema) -> Callable[..., Any]:
    # Without the prebuilt validators of classes: those are not strict.
    return SchemaValidator(schema, _use_prebuilt=False).validate_python


def _copy(value: Any) -> Any:
    """Copy arrays and objects; the numbers within stay the same objects."""
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
