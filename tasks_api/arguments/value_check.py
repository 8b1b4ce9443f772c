"""The check of one JSON value against its hint."""

import json
from itertools import islice
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator, ValidationError

from tasks_api.arguments.value_faults import VALUE_ERROR, faults_of
from tasks_api.faults import MAX_FAULTS, Fault, json_pointer


class ValueCheck:
    """
    What a value must be like to agree with a hint.

    With `copies`, a copy of it is checked: the hint runs somebody's own code, which may change what
    it is given, and what is stored is what was sent.
    """

    __slots__ = ("_copies", "_validate")

    def __init__(self, schema: CoreSchema, *, copies: bool) -> None:
        # Without the validators that classes carry: they know nothing of what was made strict.
        self._validate = SchemaValidator(schema, _use_prebuilt=False).validate_python
        self._copies = copies

    def faults(self, value: Any, *at: str | int, first: int = 0) -> list[Fault]:
        """
        Return the faults of a value that stands at these members of the body, `MAX_FAULTS` at most.

        The value may be what an array there holds from index `first` on.
        """
        try:
            try:
                self._validate(json.loads(json.dumps(value)) if self._copies else value)
            except ValidationError as error:
                return list(islice(faults_of(error, value, at, first), MAX_FAULTS))
        except Exception:  # noqa: BLE001, RUF100 -- a validator of somebody's model may raise anything
            return [Fault(*VALUE_ERROR, pointer=json_pointer(*at))]
        return []
