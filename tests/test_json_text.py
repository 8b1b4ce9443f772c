"""JSON of values that few encoders take."""

import time
from typing import Any

import pytest

from tasks_api.json_text import json_bytes

MOST_DIGITS = 4300


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10 ** (MOST_DIGITS - 1), "1" + "0" * (MOST_DIGITS - 1)),
        (10**MOST_DIGITS, "null"),
        (-(10**MOST_DIGITS), "null"),
        ([1, 10**MOST_DIGITS, 2], "[1,null,2]"),
        ("9" * (MOST_DIGITS + 1), '"' + "9" * (MOST_DIGITS + 1) + '"'),
        ({"a": float("nan"), "b": [float("-inf")]}, '{"a":null,"b":[null]}'),
        ({"\ud800": "\ud800"}, r'{"\ud800":"\ud800"}'),
    ],
    ids=["longest", "too long", "negative", "in a list", "text", "not finite", "surrogates"],
)
def test_what_json_or_python_cannot_represent_is_null(value: Any, text: str) -> None:
    assert json_bytes(value) == text.encode()


def test_digits_cost_about_as_much_as_other_characters() -> None:
    text = ("9" * (MOST_DIGITS - 1) + "a") * 1_000

    before = time.process_time()
    assert json_bytes(text) == f'"{text}"'.encode()

    # A tenth of that; to look for a long number from each digit on takes twenty seconds.
    assert time.process_time() - before < 4
