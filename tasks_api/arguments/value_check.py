"""The check of one JSON value against its hint."""

import json
from itertools import islice
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator, ValidationError

from tasks_api.arguments.value_faults import VALUE_ERROR, faults_of
from tasks_api.faults import MAX_FAULTS, Fault, json_pointer


class ValueCheck:
    """
    The check of values against a hint.

    With `copies`, it checks a copy: the hint runs somebody's own code, which may change its input,
    and what is stored is what was sent.
    """

    __slots__ = ("_copies", "_validate")

    def __init__(self, schema: CoreSchema, *, copies: bool) -> None:
        # Without the prebuilt validators of classes: those are not strict.
        self._validate = SchemaValidator(schema, _use_prebuilt=False).validate_python
        self._copies = copies

    def faults(self, value: Any, *at: str | int, first: int = 0) -> list[Fault]:
        """
        Return the faults of the value at this path in the body, `MAX_FAULTS` at most.

        The value may be the part of an array there from index `first` on.
        """
        try:
            try:
                self._validate(json.loads(json.dumps(value)) if self._copies else value)
            except ValidationError as error:
                return list(islice(faults_of(error, value, at, first), MAX_FAULTS))
        except Exception:  # noqa: BLE001, RUF100 -- a custom validator may raise anything
            return [Fault(*VALUE_ERROR, pointer=json_pointer(*at))]
        return []
