"""What Schemathesis is told of the document before it reads it."""

from typing import Any
from urllib.parse import urlencode

import schemathesis

LONGEST_QUERY = 8_000
"""In bytes; the line of a request may have `limit_request_line`."""


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """
    Take the format of integers away.

    `int64` is a hint for clients; the server takes larger ones too, which Schemathesis, for whom it
    is a bound, calls wrong.
    """
    _forget_int64(raw_schema)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Write whole numbers without a point: `1.0` is an integer to JSON Schema, and none to us."""
    return _with_whole_numbers(body)


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Leave out a URL that gunicorn would refuse before Django has seen it."""
    return len(urlencode(query or {}, doseq=True)) < LONGEST_QUERY


def _with_whole_numbers(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _with_whole_numbers(each) for name, each in value.items()}
        case list():
            return [_with_whole_numbers(each) for each in value]
        case _:
            return value


def _forget_int64(value: Any) -> None:
    match value:
        case dict():
            if value.get("format") == "int64":
                del value["format"]
            for each in value.values():
                _forget_int64(each)
        case list():
            for each in value:
                _forget_int64(each)
