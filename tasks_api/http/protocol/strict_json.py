"""
Request bodies: JSON as RFC 8259 defines it, without values that stores or workers cannot process.

PostgreSQL's jsonb rejects NUL characters and lone surrogates, and parsers disagree on duplicate
members, NaN and numbers that overflow. All of them are rejected here.
"""

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Collection
from typing import Any, NoReturn

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from tasks_api.conf import tasks_api_settings
from tasks_api.faults import MAX_FAULTS, Fault, unknown_members
from tasks_api.problems import (
    BodyTooLarge,
    InvalidRequest,
    LengthRequired,
    MalformedJSON,
    UnsupportedMediaType,
)

MAX_INTEGER_DIGITS = 4300
"""The default limit of `int()`, which takes quadratic time."""

# RFC 8259, section 8.1. That of UTF-32 in little-endian order begins with that of UTF-16.
_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE)

_UNSTORABLE_TEXT = "Should contain no NUL character and no lone surrogate."

# More digits than any limit for bodies has.
_LENGTH = re.compile("[0-9]{1,18}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def read_json(request: HttpRequest, *, nested_in: int = 0) -> Any:
    """
    Read and parse the body of a request; its first `nested_in` levels do not count as depth.

    Raises:
        UnsupportedMediaType: 415, it is not declared as JSON in UTF-8.
        LengthRequired: 411, it is chunked and the server does not mark its end.
        BodyTooLarge: 413, it is longer than `MAX_BODY_BYTES`.
        MalformedJSON: 400, it is not JSON.
        InvalidRequest: 400, it is JSON that cannot be stored faithfully; `errors` says where.

    """
    _check_media_type(request)
    return parse(_read(request), max_depth=tasks_api_settings().max_depth + nested_in)


def read_nothing(request: HttpRequest) -> None:
    """Check that a request without a body has none, or an empty object; raises what `read_members` raises."""
    read_members(request, allowed=())


def read_members(request: HttpRequest, *, allowed: Collection[str]) -> dict[str, Any]:
    """
    Read a body that may be absent, or an object with some of these members; null stands for no member.

    Raises:
        InvalidRequest: 400, it has other members, or is no object; `errors` says which.
        Problem: what `read_json` raises.

    """
    body = _read(request)
    if not body:
        return {}
    _check_media_type(request)
    given = parse(body, max_depth=tasks_api_settings().max_depth)
    if not isinstance(given, dict):
        detail = (
            "Should be absent or an object." if allowed else "Should be absent or an empty object."
        )
        raise InvalidRequest(faults=[Fault("object_type", detail, pointer="")])
    if faults := unknown_members(given, allowed):
        raise InvalidRequest(faults=faults)
    return {name: value for name, value in given.items() if value is not None}


def parse(body: bytes, *, max_depth: int) -> Any:
    """Parse strict JSON; raises what `read_json` raises."""
    if body.startswith(_BYTE_ORDER_MARKS):
        raise MalformedJSON(
            "The body begins with a byte order mark; it should be UTF-8 without one."
        )
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is not UTF-8: see byte {error.start}.") from None
    decoder = _Decoder()
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise MalformedJSON("The body is empty; it should be JSON.") from None
        # The parser's message contains a rule of the syntax, never a value of the body.
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJSON(f"The body is not JSON: see {where}. {error.msg}.") from None
    except RecursionError:
        raise InvalidRequest(faults=[_fault_of_depth(max_depth)]) from None
    # A body without any of these cannot contain a fault: most bodies are not inspected.
    if decoder.has_found_fault or "\\u" in text or text.count("[") + text.count("{") > max_depth:
        inspection = _Inspection(max_depth)
        inspection.inspect(value)
        if inspection.faults:
            raise InvalidRequest(faults=inspection.faults)
    return value


class _Refused:
    """Replaces, in a parsed value, a number that must be reported with its pointer."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail


class _RepeatedMembers(dict[str, Any]):
    """An object with repeated names."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [
            name for name, times in Counter(name for name, _ in pairs).items() if times > 1
        ]


class _Decoder(json.JSONDecoder):
    """Parses what Python's decoder accepts, and marks the faults that it ignores for the inspection."""

    def __init__(self) -> None:
        self.has_found_fault = False
        super().__init__(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        self.has_found_fault = True
        return _RepeatedMembers(pairs)

    def _integer(self, digits: str) -> int | _Refused:
        if len(digits.removeprefix("-")) <= MAX_INTEGER_DIGITS:
            return int(digits)
        self.has_found_fault = True
        return _Refused("number_too_long", f"Should have at most {MAX_INTEGER_DIGITS} digits.")

    def _float(self, digits: str) -> float | _Refused:
        number = float(digits)
        if math.isfinite(number):
            return number
        self.has_found_fault = True
        return _Refused("number_too_large", "Should be within the range of a double.")

    @staticmethod
    def _constant(name: str) -> NoReturn:
        raise MalformedJSON(f"The body is not JSON: {name} is not a JSON number.")


class _Inspection:
    """Collects values that must not be stored, with pointers, up to `MAX_FAULTS`."""

    def __init__(self, max_depth: int) -> None:
        self.max_depth = max_depth
        self.faults: list[Fault] = []

    def inspect(self, value: Any, *path: str | int) -> None:
        match value:
            case str() if _UNSTORABLE.search(value):
                self._report("unstorable_text", _UNSTORABLE_TEXT, path)
            case _Refused():
                self._report(value.code, value.detail, path)
            case dict() | list() if len(path) >= self.max_depth:
                self.faults.append(_fault_of_depth(self.max_depth, *path))
            case dict():
                self._inspect_members(value, path)
            case list():
                for index, item in enumerate(value):
                    if len(self.faults) >= MAX_FAULTS:
                        return
                    self.inspect(item, *path, index)

    def _inspect_members(self, members: dict[str, Any], path: tuple[str | int, ...]) -> None:
        for name in getattr(members, "repeated", ()):
            if not _UNSTORABLE.search(name):
                self._report("repeated_member", "Should occur only once.", (*path, name))
        for name, item in members.items():
            if len(self.faults) >= MAX_FAULTS:
                return
            if _UNSTORABLE.search(name):
                # The pointer leads to the object: one to the member could not be encoded.
                self._report("unstorable_text", f"The name of a member: {_UNSTORABLE_TEXT}", path)
            else:
                self.inspect(item, *path, name)

    def _report(self, code: str, detail: str, path: tuple[str | int, ...]) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault.at(code, detail, *path))


def _fault_of_depth(max_depth: int, *path: str | int) -> Fault:
    return Fault.at("too_deep", f"Should nest at most {max_depth} levels deep.", *path)


def _check_media_type(request: HttpRequest) -> None:
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if request.content_type != "application/json" or charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(headers={"Accept-Post": "application/json"})
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType(
            "The body must be sent without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def _read(request: HttpRequest) -> bytes:
    limit = tasks_api_settings().max_body_bytes
    environ = getattr(request, "environ", {})
    stream: Any = request
    if not request.META.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in request.META:
        # Django's WSGI handler treats a body without Content-Length as empty.
        if environ.get("wsgi.input_terminated"):
            stream = environ["wsgi.input"]
        elif environ:
            raise LengthRequired
    declared = _declared_length(request)
    if declared > limit:
        raise _too_large(limit)
    try:
        body = _drain(stream, limit, declared)
    except (UnreadablePostError, OSError):
        raise _unfinished() from None
    if len(body) > limit:
        raise _too_large(limit)
    if len(body) < declared:
        raise _unfinished()
    return body


def _declared_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not _LENGTH.fullmatch(length):
        raise MalformedJSON("Content-Length is not a number of bytes.")
    return int(length)


def _drain(stream: Any, limit: int, declared: int) -> bytes:
    """Read to the end or just over the limit: one read may return less than requested."""
    first: bytes = stream.read(limit + 1)
    if len(first) == declared:
        return first
    body = bytearray(first)
    while len(body) <= limit and (chunk := stream.read(limit + 1 - len(body))):
        body += chunk
    return bytes(body)


def _unfinished() -> MalformedJSON:
    return MalformedJSON("The body could not be read to its end.")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes.")
