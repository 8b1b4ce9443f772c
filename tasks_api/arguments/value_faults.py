"""The faults of values: pydantic's errors in terms of JSON."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic_core import ValidationError

from tasks_api.arguments.strict_schema import UNION_LABEL
from tasks_api.faults import Fault

_MAX_ENTRIES = 2000
"""How many errors are looked at: members of unions may report the same fault any number of times."""

_decode = json.JSONDecoder().raw_decode

MISSING = ("missing", "Should be present.")
UNKNOWN_MEMBER = ("unknown_member", "Should not be present.")
MULTIPLE_VALUES = ("multiple_values", "Should be passed by position or by keyword, not both.")
TOO_LONG = ("too_long", "Should have {max_length} or fewer entries.")
TOO_DEEP = ("too_deep", "Should nest less deeply.")
VALUE_ERROR = ("value_error", "Should pass the validation of its type.")
_NO_EXPONENT = (
    "integer_type",
    "Should be written without a fraction and an exponent, because it is beyond 2^53.",
)
_TOO_LARGE = ("number_too_large", "Should be within the range of a double.")

# For each code and text, the types of pydantic's errors; their context fills the braces.
# fmt: off
_ERRORS: dict[tuple[str, str], str] = {
    MISSING:
        "missing missing_argument missing_keyword_only_argument missing_positional_only_argument",
    UNKNOWN_MEMBER: "extra_forbidden unexpected_keyword_argument",
    MULTIPLE_VALUES: "multiple_argument_values",
    ("object_type", "Should be an object."):
        "model_type model_attributes_type dataclass_type dataclass_exact_type dict_type"
        " frozen_dict_type ordered_dict_type counter_type mapping_type arguments_type",
    ("array_type", "Should be an array."):
        "list_type tuple_type named_tuple_type set_type frozen_set_type deque_type iterable_type",
    ("string_type", "Should be a string."):
        "string_type string_unicode bytes_type json_type invalid_key",
    ("integer_type", "Should be a whole number."): "int_type int_parsing int_from_float",
    ("number_type", "Should be a number."): "float_type float_parsing",
    ("boolean_type", "Should be true or false."): "bool_type bool_parsing",
    ("null_type", "Should be null."): "none_required",
    ("too_short", "Should have {min_length} or more entries."): "too_short",
    TOO_LONG: "too_long unexpected_positional_argument",
    TOO_DEEP: "recursion_loop recursion_depth_exceeded",
    ("string_too_short", "Should have {min_length} or more characters."): "string_too_short",
    ("string_too_short", "Should have {min_length} or more bytes."): "bytes_too_short",
    ("string_too_long", "Should have {max_length} or fewer characters."):
        "string_too_long url_too_long",
    ("string_too_long", "Should have {max_length} or fewer bytes."): "bytes_too_long",
    ("string_pattern", "Should match the pattern `{pattern}`."): "string_pattern_mismatch",
    ("string_pattern", "Should contain only ASCII characters."): "string_not_ascii",
    ("encoding", "Should be encoded as {encoding}."): "bytes_invalid_encoding",
    ("json", "Should be a string that contains JSON."): "json_invalid",
    ("number_too_long", "Should have fewer digits."): "int_parsing_size",
    ("out_of_range", "Should be a finite number."): "finite_number",
    ("out_of_range", "Should be greater than {gt}."): "greater_than",
    ("out_of_range", "Should be {ge} or greater."): "greater_than_equal",
    ("out_of_range", "Should be less than {lt}."): "less_than",
    ("out_of_range", "Should be {le} or less."): "less_than_equal",
    ("out_of_range", "Should be in the past."): "date_past datetime_past",
    ("out_of_range", "Should be in the future."): "date_future datetime_future",
    ("multiple_of", "Should be a multiple of {multiple_of}."): "multiple_of",
    ("enum", "Should be {expected}."): "enum literal_error",
    ("enum", "Should be one of {expected_tags}."): "union_tag_invalid",
    ("enum", "Should be one of the variants."): "union_tag_not_found",
    ("date_time", "Should be an RFC 3339 date-time, such as 2026-11-22T09:00:00Z."):
        "datetime_type datetime_parsing datetime_from_date_parsing datetime_object_invalid",
    ("date_time", "Should have a UTC offset, such as Z."): "timezone_aware",
    ("date_time", "Should have no UTC offset."): "timezone_naive",
    ("date_time", "Should have a UTC offset of {tz_expected} seconds."): "timezone_offset",
    ("date", "Should be an RFC 3339 date, such as 2026-11-22."):
        "date_type date_parsing date_from_datetime_parsing date_from_datetime_inexact",
    ("time", "Should be an RFC 3339 time, such as 09:00:00Z."): "time_type time_parsing",
    ("duration", "Should be an ISO 8601 duration, such as P1DT2H30M."):
        "time_delta_type time_delta_parsing",
    ("uuid", "Should be a UUID, in five groups of hexadecimal digits."): "uuid_type uuid_parsing",
    ("uuid", "Should be a UUID of version {expected_version}."): "uuid_version",
    ("decimal", "Should be a decimal number in a string, such as \"1.50\"."):
        "decimal_type decimal_parsing",
    ("decimal", "Should have {max_digits} or fewer digits."): "decimal_max_digits",
    ("decimal", "Should have {decimal_places} or fewer decimal places."): "decimal_max_places",
    ("decimal", "Should have {whole_digits} or fewer digits before the point."):
        "decimal_whole_digits",
    ("fraction", "Should be a fraction in a string, such as \"1/3\"."):
        "fraction_type fraction_parsing",
    ("complex", "Should be a complex number in a string, such as \"1+2j\"."):
        "complex_type complex_str_parsing",
    ("url", "Should be a URL."): "url_type url_parsing url_syntax_violation",
    ("url", "Should be a URL whose scheme is {expected_schemes}."): "url_scheme",
}
# fmt: on
_BY_TYPE = {error: fault for fault, errors in _ERRORS.items() for error in errors.split()}


def code_and_detail(error_type: str, context: dict[str, Any]) -> tuple[str, str]:
    """
    Return the code and the detail for an error of pydantic's.

    The message of a custom validator is never repeated: it may contain what was sent.
    """
    code, text = _BY_TYPE.get(error_type, VALUE_ERROR)
    try:
        return code, text.format_map(context)
    except KeyError:
        # A custom error with the name of one of pydantic's.
        return VALUE_ERROR


def faults_of(
    error: ValidationError,
    value: Any,
    at: tuple[str | int, ...],
    first: int,
    *,
    tells_messages: bool,
) -> Iterator[Fault]:
    """
    Yield the faults of the value at the path `at`, or of the array there from index `first` on.

    With `tells_messages`, the messages of custom validators are repeated, which is not for clients.
    """
    seen = set()
    for entry in islice(_entries(error), _MAX_ENTRIES):
        kind, loc, context = entry["type"], entry["loc"], entry.get("ctx", {})
        code, detail = code_and_detail(kind, context)
        members, found = _located(loc, value, is_absent=(code, detail) == MISSING)
        code, detail = _of_number(kind, found) or (code, detail)
        if kind in {"union_tag_not_found", "union_tag_invalid"}:
            members += (discriminator := _discriminator(context))
            if discriminator and kind == "union_tag_not_found":
                code, detail = MISSING
        if kind == "union_tag_invalid":
            detail = detail.replace("'", '"')
        if loc[-1:] == ["[key]"] and members[-1:] != ["[key]"]:
            detail = detail.replace("Should", "The member's name should", 1)
        if tells_messages and code == VALUE_ERROR[0]:
            detail = entry["msg"]
        if first and members and isinstance(members[0], int):
            members[0] += first
        fault = Fault.at(code, detail, *at, *members)
        # Several members of a union may report the same fault.
        if fault not in seen:
            seen.add(fault)
            yield fault


def _of_number(kind: str, value: Any) -> tuple[str, str] | None:
    """Return the code and the detail for a number whose type alone does not say what is wrong."""
    if kind == "float_type" and type(value) is int:
        return _TOO_LARGE
    if kind == "int_type" and type(value) is float and value.is_integer():
        return _NO_EXPONENT
    return None


def _entries(error: ValidationError) -> Iterator[dict[str, Any]]:
    """Yield the errors one by one: a list of them may take hundreds of megabytes."""
    text = error.json(include_url=False, include_input=False)
    position = 0
    while text[position] != "]":
        entry, position = _decode(text, position + 1)
        yield entry


def _located(loc: list[str | int], value: Any, *, is_absent: bool) -> tuple[list[str | int], Any]:
    """Return an error's location within the value, without pydantic's labels, and the value there."""
    members: list[str | int] = []
    for index, step in enumerate(loc):
        is_last = index == len(loc) - 1
        if isinstance(step, str) and step.startswith(UNION_LABEL):
            continue
        if isinstance(value, dict) and (str(step) in value or (is_absent and is_last)):
            value = value.get(str(step))
            members.append(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
            members.append(step)
    return members, value


def _discriminator(context: dict[str, Any]) -> list[str]:
    """Return the member that distinguishes a union's variants, unless that is a function."""
    name: str = context["discriminator"]
    return [name[1:-1]] if name[:1] == name[-1:] == "'" and "|" not in name else []
