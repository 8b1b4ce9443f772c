"""The check of one JSON value against its hint."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from itertools import islice
from typing import Any, cast

from pydantic_core import CoreSchema, SchemaValidator, ValidationError

from tasks_api.arguments.attempts import TooManyAttempts, counting_attempts, limited_attempts
from tasks_api.arguments.core_schemas import Node, contains
from tasks_api.arguments.first_fault import first_fault_schema, may_have_large_errors
from tasks_api.arguments.value_faults import TOO_DEEP, VALUE_ERROR, faults_of
from tasks_api.faults import MAX_FAULTS, Fault


class ValueCheck:
    """
    The check of values against a hint.

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
        self._validate = _validation(self._schema)
        # A string that contains JSON: how much is not known before.
        self._hides_values = contains(node, "json")

    @cached_property
    def _find_first_fault(self) -> Callable[[Any], Any]:
        return _validation(first_fault_schema(self._schema))

    def faults(self, value: Any, *at: str | int, first: int = 0) -> list[Fault]:
        """
        Return faults of the value at this path in the body, `MAX_FAULTS` at most.

        The value may be the part of an array there from index `first` on.
        """
        is_large = self._hides_values or may_have_large_errors(value)
        validate = self._find_first_fault if is_large else self._validate
        try:
            try:
                with limited_attempts(value) if self._is_recursive else nullcontext():
                    validate(json.loads(json.dumps(value)) if self._copies else value)
            except TooManyAttempts:
                return [Fault.at(*TOO_DEEP, *at)]
            except ValidationError as error:
                return list(islice(faults_of(error, value, at, first), MAX_FAULTS))
        except Exception:  # noqa: BLE001, RUF100 -- a custom validator may raise anything
            return [Fault.at(*VALUE_ERROR, *at)]
        return []


def _validation(schema: CoreSchema) -> Callable[[Any], Any]:
    # Without the prebuilt validators of classes: those are not strict.
    return SchemaValidator(schema, _use_prebuilt=False).validate_python
