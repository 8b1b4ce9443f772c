"""The parser of request bodies, against Python's own on what both take."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_api.http.protocol.strict_json import parse
from tasks_api.problems import InvalidRequest, MalformedJSON

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS),
    lambda children: (
        st.lists(children, max_size=5) | st.dictionaries(st.text(CHARACTERS), children, max_size=5)
    ),
    max_leaves=30,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_python_writes_is_read_back_the_same(
    value: Any, ensure_ascii: bool, indent: Any
) -> None:
    body = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode()

    assert parse(body, max_depth=100) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    try:
        value = parse(body, max_depth=32)
    except (MalformedJSON, InvalidRequest):
        return
    assert json.loads(body) == value


@given(st.text(st.sampled_from('{}[]",:\\u0d8/aeE+-.019 \n'), max_size=60))
def test_any_mixture_of_json_marks_is_parsed_or_refused(text: str) -> None:
    try:
        value = parse(text.encode(), max_depth=4)
    except (MalformedJSON, InvalidRequest):
        return
    json.dumps(value, allow_nan=False).encode()


@given(st.integers(1, 60), st.integers(1, 60))
def test_depth_is_counted_in_levels(levels: int, max_depth: int) -> None:
    body = b"[" * levels + b"]" * levels
    if levels <= max_depth:
        parse(body, max_depth=max_depth)
        return
    with pytest.raises(InvalidRequest) as raised:
        parse(body, max_depth=max_depth)
    assert [fault.pointer for fault in raised.value.faults] == ["/0" * max_depth]


def test_brackets_in_strings_are_no_levels() -> None:
    assert parse(b'["[[[[", "{{{{"]', max_depth=1) == ["[[[[", "{{{{"]


@pytest.mark.parametrize("escape", [r"\ud83d\ude00", r"\u00e9", r"\u2028"])
def test_escapes_that_spell_a_character_are_taken(escape: str) -> None:
    assert parse(f'"{escape}"'.encode(), max_depth=1) == json.loads(f'"{escape}"')


def test_a_detail_never_repeats_a_value_that_was_sent() -> None:
    for body in (b'{"secret": secret}', b'{"secret": "sec\nret"}', b'["secret" "secret"]'):
        with pytest.raises(MalformedJSON) as raised:
            parse(body, max_depth=32)
        assert "secret" not in raised.value.detail


def test_where_the_syntax_breaks_is_told_by_line_and_column() -> None:
    with pytest.raises(MalformedJSON, match="line 2, column 7"):
        parse(b'{"a": 1,\n "b": x}', max_depth=32)
