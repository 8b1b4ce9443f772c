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
    so, for the sake of generators. And take away when a task expires, which has to be in the future.
    """
    _forget_int64(raw_schema)
    for schema in raw_schema["components"]["schemas"].values():
        properties = schema.get("properties", {})
        if "const" in properties.get("task", {}):
            properties.pop("expires_at", None)
        for name in {"args", "kwargs"} & properties.keys() - set(schema.get("required", ())):
            if "const" in properties.get("task", {}):
                properties[name] = {"anyOf": [properties[name], {"type": "null"}]}


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Leave out a URL that gunicorn would refuse before Django has seen it."""
    return len(urlencode(query or {}, doseq=True)) < LONGEST_QUERY


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Leave out calls that say one thing in two ways, or expire before they may run."""
    calls = body.get("tasks") if isinstance(body, dict) and "tasks" in body else [body]
    return not any(map(_contradicts_itself, calls if isinstance(calls, list) else []))


def _contradicts_itself(call: Any) -> bool:
    if not isinstance(call, dict):
        return False
    said = {name for name, value in call.items() if value is not None}
    return len(said & {"run_after", "delay_seconds", "expires_in_seconds"}) > 1


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
