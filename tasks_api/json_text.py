"""JSON text of any value that a task returned or a store contains."""

import json
import math
import re
import sys
from typing import Any

from pydantic_core import to_json

# Python does not convert longer integers to text; integers of this many bits are short enough.
_MAX_INTEGER_BITS = int(sys.int_info.default_max_str_digits * math.log2(10))
_MAX_DIGITS = sys.int_info.default_max_str_digits
# Only from the first digit of each number: from all of them takes seconds for a megabyte of digits.
_TOO_MANY_DIGITS = re.compile(rb"[0-9](?<![0-9]{2})[0-9]{%d}" % (_MAX_DIGITS - 1))


def json_text(value: Any, *, ensure_ascii: bool = True) -> str:
    """Encode a value as compact JSON; numbers that JSON or Python cannot represent become null."""
    try:
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_encodable(value), ensure_ascii=ensure_ascii, separators=(",", ":"))


def plain_json(value: Any) -> Any:
    """Return what a reader of the value's JSON gets: all names of members are strings, say."""
    return json.loads(json_text(value))


def json_bytes(value: Any) -> bytes:
    """Encode a value as compact JSON in UTF-8; the names of members are strings."""
    try:
        # Five times as fast as Python's own, but not for everything.
        text = to_json(value, inf_nan_mode="null")
    except ValueError:
        return _any_json_bytes(value)
    if len(text) >= _MAX_DIGITS and _TOO_MANY_DIGITS.search(text):
        return _any_json_bytes(value)
    return text


def _any_json_bytes(value: Any) -> bytes:
    try:
        return json_text(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # A lone surrogate that the project's own code stored can be written as an escape.
        return json_text(value).encode()


def _encodable(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case int() if value.bit_length() > _MAX_INTEGER_BITS:
            return None
        case dict():
            return {name: _encodable(item) for name, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
        case _:
            return value
