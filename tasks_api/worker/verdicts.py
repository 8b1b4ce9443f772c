"""
How a task ended, in a form that every database can store.

What a task returns or raises is made from its input, which a client chose: nothing here may let a
text, a size or a depth stop the worker.
"""

import json
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.tasks import TaskResultStatus
from django.utils.json import normalize_json

from tasks_api.exceptions import ResultNotStorable, ResultTooLarge
from tasks_api.policy_options import path_of

MAX_TRACEBACK_CHARACTERS = 64 * 1024
MAX_ENTRY_CHARACTERS = 8 * 1024
MAX_CLASS_PATH_CHARACTERS = 255

# An escaped NUL: an even number of backslashes before it would be escaped backslashes.
_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_SCALARS = {str, int, float, bool, type(None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    The columns of a finished task; `return_value_json` is None for SQL's NULL.

    Attributes:
        kinds: the paths of the exception's class and of those that it derives from, in that order.

    """

    status: str
    return_value: Any = None
    return_value_json: str | None = None
    exception_class_path: str = ""
    traceback: str = ""
    kinds: tuple[str, ...] = ()


def successful(return_value: Any, max_bytes: int) -> Verdict:
    """
    Describe a task that returned.

    Raises:
        ResultTooLarge: the value takes more than `max_bytes` as JSON.
        ResultNotStorable: the value is no JSON that PostgreSQL and SQLite both store, or JSON would lose
            a part of it.

    """
    if return_value is None:
        return Verdict(status=TaskResultStatus.SUCCESSFUL)
    try:
        normalized = normalize_json(return_value)
        text = json.dumps(normalized, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ResultNotStorable("The task returned a text with a lone surrogate.") from None
    except Exception as error:
        raise ResultNotStorable(f"The task returned what is no JSON: {_shorten(error)}") from error
    if lost := _keys_of_one_name(return_value):
        raise ResultNotStorable(
            f"The task returned a dictionary with the keys {_shorten_key(lost[0])} and "
            f"{_shorten_key(lost[1])}, which are one in JSON: a value would be lost."
        )
    if size > max_bytes:
        raise ResultTooLarge(
            f"The task returned a value of {size:,} bytes; MAX_RESULT_BYTES is {max_bytes:,}."
        )
    if "\\u0000" in text and _NUL_IN_JSON.search(text):
        raise ResultNotStorable("The task returned a text with a NUL character.")
    return Verdict(
        status=TaskResultStatus.SUCCESSFUL, return_value=normalized, return_value_json=text
    )


def _keys_of_one_name(value: Any) -> tuple[Any, Any] | None:
    """Return two keys of a dictionary somewhere in the value that JSON spells alike, if there are any."""
    values = [value]
    while values:
        one = values.pop()
        if isinstance(one, Mapping):
            if not all(type(key) is str for key in one):
                named: dict[str, Any] = {}
                for key in one:
                    if (other := named.setdefault(_name_in_json(key), key)) is not key:
                        return other, key
            values += [each for each in one.values() if type(each) not in _SCALARS]
        elif isinstance(one, Sequence) and not isinstance(one, str | bytes):
            values += [each for each in one if type(each) not in _SCALARS]
    return None


def _name_in_json(key: Any) -> str:
    if isinstance(key, bytes):
        return key.decode()
    return str(key) if isinstance(key, str) else json.dumps(key)


def _shorten_key(key: Any) -> str:
    text = repr(key)
    return storable(text if len(text) <= 100 else f"{text[:100]}…")


def failed(error: BaseException) -> Verdict:
    """Describe a task that raised, its traceback cut to a size and escaped where needed."""
    return Verdict(
        status=TaskResultStatus.FAILED,
        exception_class_path=class_path(type(error)),
        traceback=_readable_traceback(error),
        kinds=tuple(class_path(kind) for kind in type(error).__mro__),
    )


def refused(verdict: Verdict, refusal: Exception) -> Verdict:
    """Describe a failed task in ASCII alone, the database having refused its traceback."""
    path = verdict.exception_class_path.encode("ascii", "replace").decode()
    reason = class_path(type(refusal))
    return Verdict(
        status=TaskResultStatus.FAILED,
        exception_class_path=path,
        traceback=f"{path}: the database refused its traceback ({reason})",
        kinds=verdict.kinds,
    )


def class_path(error_class: type[BaseException]) -> str:
    return storable(path_of(error_class)[:MAX_CLASS_PATH_CHARACTERS])


def storable(text: str) -> str:
    """Spell NUL characters and lone surrogates out, which databases refuse."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _readable_traceback(error: BaseException) -> str:
    try:
        entries = traceback.format_exception(error)
    except Exception as unprintable:
        entries = [f"{type(error).__qualname__}: it cannot be shown ({_shorten(unprintable)})"]
    return storable(
        cut(
            "".join(cut(entry, MAX_ENTRY_CHARACTERS) for entry in entries),
            MAX_TRACEBACK_CHARACTERS,
        )
    )


def cut(text: str, limit: int) -> str:
    """Leave the middle of a longer text out: the head says where it happened, the tail what happened."""
    if len(text) <= limit:
        return text
    half = limit // 2 - 32
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[-half:]}"


def _shorten(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "no message"
    return storable(f"{type(error).__qualname__}: {text[:500]}")
