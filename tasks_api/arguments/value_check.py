"""The check of one JSON value against its hint."""

from contextlib import suppress
from itertools import islice
from typing import Any

from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator, ValidationError

from tasks_api.arguments.value_faults import VALUE_ERROR, faults_of
from tasks_api.arguments.whole_numbers import has_whole_float, with_integers, with_whole_floats
from tasks_api.faults import MAX_FAULTS, Fault, json_pointer


class ValueCheck:
    """
    The check of values against a hint.

    With `copies`, it checks a copy: the hint runs somebody's own code, which may change its input,
    and what is stored is what was sent.
    """

    __slots__ = ("_copies", "_schema", "_validate", "_validate_whole_floats")

    def __init__(self, schema: CoreSchema, *, copies: bool) -> None:
        self._validate = _validator(schema).validate_python
        # Built where it is needed: most clients never send `1.0` for an integer.
        self._validate_whole_floats: Any = None
        self._schema = schema
        self._copies = copies

    def check(self, value: Any, *at: str | int, first: int = 0) -> tuple[Any, list[Fault]]:
        """
        Return the value to store and its faults at this path in the body, `MAX_FAULTS` at most.

        The value to store is the one that was sent, with integers that were written as `1.0` as such.
        The value may be the part of an array there from index `first` on.
        """
        try:
            try:
                self._validated(value)
            except ValidationError as error:
                stored, _, faults = self._look_again(error, value, at, first, tells=False)
                return stored, faults
        except Exception:  # noqa: BLE001, RUF100 -- a custom validator may raise anything
            return value, [Fault(*VALUE_ERROR, pointer=json_pointer(*at))]
        return value, []

    def convert(self, value: Any, *at: str | int, first: int = 0) -> tuple[Any, list[Fault]]:
        """
        Return what the hint makes of a value, and its faults, with the messages of custom validators.

        Raises whatever else than a fault a custom validator raises.
        """
        try:
            return self._validated(value), []
        except ValidationError as error:
            _, converted, faults = self._look_again(error, value, at, first, tells=True)
            return converted, faults

    def dump(self, value: Any, *at: str | int, first: int = 0) -> tuple[Any, list[Fault]]:
        """Return the JSON of a value as its hint says, and the faults of that JSON."""
        serializer = SchemaSerializer(self._schema)
        dumped = serializer.to_python(value, mode="json", by_alias=True, warnings="none")
        return self.check(dumped, *at, first=first)

    def _look_again(
        self,
        error: ValidationError,
        value: Any,
        at: tuple[str | int, ...],
        first: int,
        *,
        tells: bool,
    ) -> tuple[Any, Any, list[Fault]]:
        """Return the value to store, what the hint makes of it, and its faults."""
        stored = value
        if has_whole_float(value):
            stored = with_integers(value, self._whole_floats(value))
            try:
                return stored, self._validated(stored), []
            except ValidationError as of_stored:
                error = of_stored
        faults = faults_of(error, stored, at, first, tells_messages=tells)
        return stored, stored, list(islice(faults, MAX_FAULTS))

    def _validated(self, value: Any) -> Any:
        return self._validate(_copy(value) if self._copies else value)

    def _whole_floats(self, value: Any) -> list[float]:
        """Return the floats in a value for which the hint asks for integers."""
        if self._validate_whole_floats is None:
            schema = with_whole_floats(self._schema)
            self._validate_whole_floats = _validator(schema).validate_python
        found: list[float] = []
        with suppress(Exception):
            self._validate_whole_floats(_copy(value) if self._copies else value, context=found)
        return found


def _validator(schema: CoreSchema) -> SchemaValidator:
    # Without the prebuilt validators of classes: those are not strict.
    return SchemaValidator(schema, _use_prebuilt=False)


def _copy(value: Any) -> Any:
    """Copy arrays and objects; the numbers within stay the same objects."""
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
