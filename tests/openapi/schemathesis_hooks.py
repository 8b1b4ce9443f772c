"""What Schemathesis is told of the document before it reads it."""

from typing import Any
from urllib.parse import urlencode

import schemathesis

LONGEST_QUERY = 8_000
"""In bytes; the line of a request may have `limit_request_line`."""


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """
    Take the format of integers away, and tell of null for arguments.

    `int64` is a hint for clients; the server takes larger ones too, which Schemathesis, for whom it
    is a bound, calls wrong. Null for `args` and `kwargs` counts as absent; the document does not say
    so, for the sake of generators. And take away a second way to say the same, which excludes the first.
    """
    _forget_int64(raw_schema)
    for schema in raw_schema["components"]["schemas"].values():
        properties = schema.get("properties", {})
        if "const" in properties.get("task", {}):
            properties.pop("expires_at", None)
            properties.pop("delay_seconds", None)
        for name in {"args", "kwargs"} & properties.keys() - set(schema.get("required", ())):
            if "const" in properties.get("task", {}):
                properties[name] = {"anyOf": [properties[name], {"type": "null"}]}


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Leave out a URL that gunicorn would refuse before Django has seen it."""
    return len(urlencode(query or {}, doseq=True)) < LONGEST_QUERY


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Leave out calls that expire before they may run, perhaps."""
    calls = body.get("tasks") if isinstance(body, dict) and "tasks" in body else [body]
    return not any(map(_has_two_times, calls if isinstance(calls, list) else []))


def _has_two_times(call: Any) -> bool:
    times = ("run_after", "expires_in_seconds")
    return isinstance(call, dict) and all(call.get(name) is not None for name in times)


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
