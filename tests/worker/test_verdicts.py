"""What a task returns or raises becomes something that every database stores."""

import json
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_api.exceptions import ResultNotStorable, ResultTooLarge, TaskCancelled, WorkerLost
from tasks_api.worker import verdicts

ANY_TEXT = st.text(st.characters(codec=None))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Whatever can be sent in UTF-8, NUL apart.
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc\\u0"), inner),
)


@given(JSON)
def test_json_is_stored_as_it_is(value: object) -> None:
    verdict = verdicts.successful(value, max_bytes=1_000_000)

    assert verdict.status == "SUCCESSFUL"
    stored = verdict.return_value_json
    assert (None if stored is None else json.loads(stored)) == value
    assert verdict.return_value == value


@given(ANY_TEXT, ANY_TEXT)
def test_a_text_is_stored_or_refused(before: str, after: str) -> None:
    text = f"{before}\0{after}"
    with pytest.raises(ResultNotStorable):
        verdicts.successful({"key": text}, max_bytes=1_000_000)
    with pytest.raises(ResultNotStorable):
        verdicts.successful({text: "value"}, max_bytes=1_000_000)


@pytest.mark.parametrize("text", [r"\u0000", r"\\u0000", r"\x00", "\\" * 7 + "u0000"])
def test_what_only_looks_like_nul_is_stored(text: str) -> None:
    assert verdicts.successful(text, max_bytes=100).return_value == text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("inf"), id="infinity"),
        pytest.param(object(), id="object"),
        pytest.param({"a": {1}}, id="set"),
        pytest.param(b"\xff", id="bytes"),
        pytest.param(10**5000, id="integer of 5,001 digits"),
        pytest.param(["\udfff"], id="surrogate"),
        pytest.param({"\ud800": 1}, id="surrogate in a key"),
    ],
)
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(ResultNotStorable):
        verdicts.successful(value, max_bytes=1_000_000)


class Choice(IntEnum):
    FIRST = 1


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ({1: "a", "1": "b"}, "1 and '1'"),
        ({"1": "a", Choice.FIRST: "b"}, r"'1' and <Choice\.FIRST: 1>"),
        ({True: "a", "true": "b"}, "True and 'true'"),
        ({"null": "a", None: "b"}, "'null' and None"),
        ({1.0: "a", "1.0": "b"}, r"1\.0 and '1\.0'"),
        ({b"a": 1, "a": 2}, "b'a' and 'a'"),
        ([{"a": ({"b": {2: 1, "2": 1}},)}], "2 and '2'"),
    ],
)
def test_keys_that_are_one_in_json_are_refused(value: object, keys: str) -> None:
    with pytest.raises(ResultNotStorable, match=f"the keys {keys}, which are one in JSON"):
        verdicts.successful(value, max_bytes=1_000_000)


def test_keys_that_only_look_alike_are_stored() -> None:
    value = {1: "a", "01": "b", 1.5: "c", "1.50": "d", None: "e", "None": "f", True + 1: "g"}

    stored = json.loads(verdicts.successful([value], max_bytes=1_000).return_value_json or "")

    assert list(stored[0]) == ["1", "01", "1.5", "1.50", "null", "None", "2"]


@pytest.mark.parametrize(("text", "is_too_large"), [("é" * 4, False), ("é" * 5, True)])
def test_a_size_is_counted_in_bytes(text: str, is_too_large: bool) -> None:
    if is_too_large:
        with pytest.raises(ResultTooLarge, match="12 bytes; MAX_RESULT_BYTES is 10"):
            verdicts.successful(text, max_bytes=10)
    else:
        assert verdicts.successful(text, max_bytes=10).return_value == text


@given(ANY_TEXT)
def test_the_text_of_an_exception_can_always_be_stored(text: str) -> None:
    verdict = verdicts.failed(RuntimeError(text))

    assert "\0" not in verdict.traceback
    verdict.traceback.encode("utf-8")
    assert verdict.traceback.startswith("RuntimeError")
    assert verdict.exception_class_path == "builtins.RuntimeError"


def test_a_long_exception_keeps_its_beginning_and_its_end() -> None:
    error = RuntimeError("begin" + "x" * 1_000_000 + "end")
    for number in range(30):
        error.add_note(f"note {number} " + "y" * 10_000)

    text = verdicts.failed(error).traceback

    assert len(text) <= verdicts.MAX_TRACEBACK_CHARACTERS
    assert text.startswith("RuntimeError: begin")
    assert "characters left out" in text
    assert "note 29" in text


def test_the_name_of_an_exception_is_storable_too() -> None:
    kind = type("Name" + "x" * 1000, (Exception,), {"__module__": "a\ud800\0"})

    path = verdicts.class_path(kind)

    assert path.startswith(r"a\ud800\x00.Name")
    assert len(path) < 300


def test_an_exception_whose_traceback_cannot_be_made_is_named() -> None:
    class HostileError(Exception):
        @property
        def __notes__(self) -> list[str]:
            raise ValueError("no notes")

    assert "HostileError" in verdicts.failed(HostileError()).traceback


@pytest.mark.parametrize("kind", [WorkerLost, TaskCancelled])
def test_the_docstring_is_the_default_message(kind: type[Exception]) -> None:
    assert str(kind()) == kind.__doc__
    assert str(kind("another")) == "another"
