"""The check of one JSON value against its hint, and what it says of a value that does not fit."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator, ValidationError

from tasks_api.arguments.hints import UNION_LABEL
from tasks_api.faults import Fault, json_pointer

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode

# Hints that one look at the value's class settles, with what JSON values they take.
_PLAIN: Mapping[str, frozenset[type]] = {
    "str": frozenset({str}),
    "int": frozenset({int}),
    "float": frozenset({float, int}),
    "bool": frozenset({bool}),
    "none": frozenset({type(None)}),
}

# The codes whose messages tell what would be right, and nothing of what was sent.
# fmt: off
_TELLING = frozenset({
    "missing", "extra_forbidden", "invalid_key", "model_type", "dataclass_type",
    "named_tuple_type", "none_required", "greater_than", "greater_than_equal", "less_than",
    "less_than_equal", "multiple_of", "finite_number", "too_short", "too_long", "string_type",
    "string_too_short", "string_too_long", "string_pattern_mismatch", "string_not_ascii", "enum",
    "dict_type", "frozen_dict_type", "ordered_dict_type", "counter_type", "mapping_type",
    "list_type", "deque_type", "tuple_type", "set_type", "frozen_set_type",
    "set_item_not_hashable", "bool_type", "int_type", "int_parsing", "int_from_float",
    "float_type", "float_parsing", "bytes_type", "bytes_too_short", "bytes_too_long",
    "literal_error", "date_type", "date_past", "date_future", "time_type",
    "time_parsing", "datetime_type",  "datetime_past", "datetime_future",
    "timezone_naive", "timezone_aware", "time_delta_type", "time_delta_parsing",
    "union_tag_not_found", "missing_argument", "unexpected_keyword_argument",
    "missing_keyword_only_argument", "unexpected_positional_argument",
    "missing_positional_only_argument", "multiple_argument_values", "url_type", "url_parsing",
    "url_syntax_violation", "url_too_long", "url_scheme", "uuid_type", "uuid_version",
    "decimal_type", "decimal_parsing", "decimal_max_digits", "decimal_max_places",
    "decimal_whole_digits", "json_type", "fraction_type", "fraction_parsing", "complex_type",
    "complex_str_parsing",
})
# fmt: on
# The codes whose messages would repeat what was sent, or come from somebody's own validator.
_REWORDED = {
    "value_error": "Value does not pass the validation of its type",
    "assertion_error": "Value does not pass the validation of its type",
    "uuid_parsing": "Input should be a valid UUID, five groups of hexadecimal digits",
    "union_tag_invalid": "Input names none of the variants that there are",
    "timezone_offset": "Input has another timezone offset than the one that is required",
    "datetime_parsing": "Input should be a valid datetime, as RFC 3339 has it",
    "date_parsing": "Input should be a valid date, YYYY-MM-DD",
    "json_invalid": "Input should be valid JSON within a string",
    "bytes_invalid_encoding": "Input is not encoded as it should be",
    "int_parsing_size": "Input has more digits than a whole number may have",
    "recursion_loop": "Input nests too deeply",
}
# How pydantic says, where it would take a date for a datetime, that something is neither.
_RENAMED = {
    "datetime_from_date_parsing": "datetime_parsing",
    "date_from_datetime_parsing": "date_parsing",
    "date_from_datetime_inexact": "date_parsing",
}
_ABSENT = frozenset(
    {
        "missing",
        "missing_argument",
        "missing_keyword_only_argument",
        "missing_positional_only_argument",
    }
)


class ValueCheck:
    """What a value must be like to agree with a hint."""

    __slots__ = ("_plain", "_validator")

    def __init__(self, schema: CoreSchema) -> None:
        self._plain = _plain_types(schema)
        # Without the validators that classes carry: they know nothing of what was made strict.
        self._validator = SchemaValidator(schema, _use_prebuilt=False)

    def faults(self, value: Any, *at: str | int, limit: int, first: int = 0) -> list[Fault]:
        """
        Return at most `limit` faults of a value that stands at these members of the body.

        The value may be what an array there holds from index `first` on.
        """
        if type(value) in self._plain:
            return []
        try:
            self._validator.validate_json(_encode(value))
        except ValidationError as error:
            return list(islice(_faults(error, value, at, first), limit))
        except Exception:  # noqa: BLE001, RUF100 -- a validator of somebody's model may raise anything
            return [Fault("value_error", _REWORDED["value_error"], pointer=json_pointer(*at))]
        return []


def _plain_types(schema: Mapping[str, Any]) -> frozenset[type]:
    """Return the classes whose values all agree with the schema, which is checked for the others."""
    match schema:
        case {"type": "any"}:
            return frozenset({str, int, float, bool, type(None), list, dict})
        case {"type": str(kind)} if kind in _PLAIN and schema.keys() <= {
            "type",
            "strict",
            "metadata",
        }:
            return _PLAIN[kind]
        case {"type": "nullable", "schema": inner}:
            return _plain_types(inner) | _PLAIN["none"]
        case {"type": "union", "choices": choices} if "custom_error_type" not in schema:
            return frozenset().union(*(_plain_types(choice) for choice, _ in choices))
        case _:
            return frozenset()


def _faults(
    error: ValidationError, value: Any, at: tuple[str | int, ...], first: int
) -> Iterator[Fault]:
    seen = set()
    for entry in _entries(error):
        code = _RENAMED.get(entry["type"], entry["type"])
        if code in _TELLING:
            detail = entry["msg"]
        else:
            code = code if code in _REWORDED else "value_error"
            detail = _REWORDED[code]
        members = list(_members(entry["loc"], value, is_absent=code in _ABSENT))
        if first and members and isinstance(members[0], int):
            members[0] += first
        fault = Fault(code, detail, pointer=json_pointer(*at, *members))
        # The members of a union may find fault with the same.
        if fault not in seen:
            seen.add(fault)
            yield fault


def _entries(error: ValidationError) -> Iterator[dict[str, Any]]:
    """Yield the errors one by one: a list of a whole body's would take hundreds of megabytes."""
    text = error.json(include_url=False, include_context=False, include_input=False)
    position = 0
    while text[position] != "]":
        entry, position = _decode(text, position + 1)
        yield entry


def _members(loc: list[str | int], value: Any, *, is_absent: bool) -> Iterator[str | int]:
    """Yield what of an error's location lies in the value: pydantic adds labels of its own."""
    for index, step in enumerate(loc):
        if isinstance(step, str) and step.startswith(UNION_LABEL):
            continue
        is_last = index == len(loc) - 1
        if isinstance(value, dict) and (str(step) in value or (is_absent and is_last)):
            value = value.get(str(step))
            yield step
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
            yield step
