"""
Bodies that a parser, a store, a worker or a renderer could choke on: each is refused at the door.

The stores differ in what they choke on (PostgreSQL refuses characters that SQLite keeps), so that
the same corpus is sent to the service on either; a refused request stores nothing.
"""

import codecs
import json
from typing import Any

import pytest

from tasks_api.faults import FAULT_CODES
from tasks_api.problems import Problem
from tests.live_service import LiveService

HELLO = "service.tasks.say_hello"
ECHO = "tests.tasks.echo"


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return opening.encode() * levels + closing.encode() * levels


def call(kwargs: str) -> bytes:
    return f'{{"task": "{ECHO}", "kwargs": {kwargs}}}'.encode("utf-8", "surrogatepass")


NOT_JSON = {
    "empty": b"",
    "white space": b" \t\r\n",
    "a byte order mark": b'\xef\xbb\xbf{"task": "x"}',
    "nothing but a byte order mark": b"\xef\xbb\xbf",
    "UTF-16": '{"task": "x"}'.encode("utf-16"),
    "Latin-1": '{"task": "é"}'.encode("latin-1"),
    "an overlong encoding": b'{"task": "\xc0\xaf"}',
    "a surrogate in UTF-8": call('{"a": "\ud800"}'),
    "half a character": b'{"task": "\xf0\x9f\x98"}',
    "a form": b"task=service.tasks.say_hello&name=Ada",
    "single quotes": b"{'task': 'x'}",
    "a trailing comma": b'{"task": "x",}',
    "a comment": b'{"task": "x"} // greeting',
    "two values": b'{"task": "x"}{"task": "x"}',
    "an open string": b'{"task": "x',
    "an open object": b'{"task": "x"',
    "NaN": call('{"a": NaN}'),
    "infinity": call('{"a": Infinity}'),
    "minus infinity": call('{"a": -Infinity}'),
    "a leading zero": call('{"a": 01}'),
    "a bare fraction": call('{"a": .5}'),
    "a plus sign": call('{"a": +1}'),
    "hexadecimal": call('{"a": 0x1}'),
    "a raw line break in a string": call('{"a": "x\ny"}'),
    "a raw NUL": call('{"a": "x\x00y"}'),
    "an unknown escape": call(r'{"a": "\x41"}'),
    "half an escape": call(r'{"a": "\u12"}'),
    "digits of another script": '{"task": "x", "priority": ٣}'.encode(),
}

NOT_STORABLE = {
    "NUL in a value": (call(r'{"a": "x\u0000"}'), "/kwargs/a", "unstorable_text"),
    "NUL in a name": (call(r'{"a\u0000": 1}'), "/kwargs", "unstorable_text"),
    "a lone high surrogate": (call(r'{"a": "\ud800"}'), "/kwargs/a", "unstorable_text"),
    "a lone low surrogate": (call(r'{"a": ["\udfff"]}'), "/kwargs/a/0", "unstorable_text"),
    "surrogates in the wrong order": (
        call(r'{"a": "\udc00\ud800"}'),
        "/kwargs/a",
        "unstorable_text",
    ),
    "a surrogate in a name": (call(r'{"b": {"\ud800": 1}}'), "/kwargs/b", "unstorable_text"),
    "NUL in the task's name": (rb'{"task": "a\u0000b"}', "/task", "unstorable_text"),
    "a surrogate in an unknown member": (rb'{"\udfff": 1}', "", "unstorable_text"),
    "overflow": (call('{"a": 1e999}'), "/kwargs/a", "number_too_large"),
    "negative overflow": (call('{"a": [-1e999]}'), "/kwargs/a/0", "number_too_large"),
    "overflow without exponent": (call(f'{{"a": {"9" * 400}.0}}'), "/kwargs/a", "number_too_large"),
    "4,301 digits": (call(f'{{"a": {"9" * 4301}}}'), "/kwargs/a", "number_too_long"),
    "100,000 digits": (call(f'{{"a": -{"9" * 100_000}}}'), "/kwargs/a", "number_too_long"),
    "a repeated member": (call('{"a": 1, "a": 1}'), "/kwargs/a", "repeated_member"),
    "a member repeated by an escape": (
        call(r'{"a": 1, "\u0061": 2}'),
        "/kwargs/a",
        "repeated_member",
    ),
    "a repeated task": (b'{"task": "x", "task": "y"}', "/task", "repeated_member"),
    "33 levels": (b'{"task": "x", "args": ' + nested(32) + b"}", "/args" + "/0" * 31, "too_deep"),
}

TOO_DEEP_TO_PARSE = {
    "100,000 arrays": nested(100_000),
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 arrays that are never closed": b"[" * 100_000,
    "half a megabyte of arrays": nested(262_144),
}

NOT_A_CALL: dict[str, tuple[Any, str]] = {
    "null": (None, ""),
    "a string": ("x", ""),
    "a number": (1, ""),
    "an array": ([], ""),
    "an array of calls": ([{"task": HELLO}], ""),
    "nothing": ({}, "/task"),
    "no task": ({"kwargs": {"name": "Ada"}}, "/task"),
    "a task that is null": ({"task": None}, "/task"),
    "a task that is an object": ({"task": {"name": HELLO}}, "/task"),
    "args that are an object": ({"task": HELLO, "args": {"name": "Ada"}}, "/args"),
    "args that are a string": ({"task": HELLO, "args": "Ada"}, "/args"),
    "kwargs that are an array": ({"task": HELLO, "kwargs": ["Ada"]}, "/kwargs"),
    "an unknown member": ({"task": HELLO, "kwargs": {"name": "Ada"}, "when": 1}, "/when"),
    "a member of another case": ({"task": HELLO, "Kwargs": {"name": "Ada"}}, "/Kwargs"),
    "a member with a slash": ({"task": HELLO, "a/b~c": 1}, "/a~1b~0c"),
    "backend": ({"task": HELLO, "kwargs": {"name": "A"}, "backend": "default"}, "/backend"),
    "a priority that is a string": ({"task": HELLO, "priority": "5"}, "/priority"),
    "a priority that is true": ({"task": HELLO, "priority": True}, "/priority"),
    "a priority with a fraction": ({"task": HELLO, "priority": 1.5}, "/priority"),
    "a priority of 1e300": ({"task": HELLO, "priority": 1e300}, "/priority"),
    "a priority of 101": ({"task": HELLO, "priority": 101}, "/priority"),
    "a priority of -101": ({"task": HELLO, "priority": -101}, "/priority"),
    "a priority of 4,300 digits": ({"task": HELLO, "priority": 10**4299}, "/priority"),
    "a queue that is a number": ({"task": HELLO, "queue_name": 1}, "/queue_name"),
    "a moment that is a number": ({"task": HELLO, "run_after": 1_800_000_000}, "/run_after"),
    "an unknown member that is null": ({"task": HELLO, "when": None}, "/when"),
    "a date": ({"task": HELLO, "run_after": "2026-11-22"}, "/run_after"),
    "a moment without offset": ({"task": HELLO, "run_after": "2026-11-22T09:00:00"}, "/run_after"),
    "a week date": ({"task": HELLO, "run_after": "2026-W47-7T09:00:00Z"}, "/run_after"),
    "the basic format": ({"task": HELLO, "run_after": "20261122T090000Z"}, "/run_after"),
    "February 30": ({"task": HELLO, "run_after": "2026-02-30T09:00:00Z"}, "/run_after"),
    "hour 24": ({"task": HELLO, "run_after": "2026-11-22T24:00:00Z"}, "/run_after"),
    "second 61": ({"task": HELLO, "run_after": "2026-11-22T09:00:61Z"}, "/run_after"),
    "an offset of a day": ({"task": HELLO, "run_after": "2026-11-22T09:00:00+24:00"}, "/run_after"),
    "a moment after the last": (
        {"task": HELLO, "run_after": "9999-12-31T23:59:59-14:00"},
        "/run_after",
    ),
    "a moment before the first": (
        {"task": HELLO, "run_after": "0001-01-01T00:00:00+14:00"},
        "/run_after",
    ),
    "a moment in the year 0": ({"task": HELLO, "run_after": "0000-01-01T00:00:00Z"}, "/run_after"),
    "a moment with a line break": (
        {"task": HELLO, "run_after": "2026-11-22T09:00:00Z\n"},
        "/run_after",
    ),
    "digits of another script": (
        {"task": HELLO, "run_after": "٢٠٢٦-11-22T09:00:00Z"},
        "/run_after",
    ),
}

NO_TASK_TYPE = {
    "an empty name": "",
    "another task": "service.tasks.nothing",
    "a module": "service.tasks",
    "a module with a side effect": "this.s",
    "a function": "os.system",
    "a task that is not exposed": "tests.hidden.tasks.secret",
    "an attribute of a task": "service.tasks.say_hello.func",
    "a dunder": "service.tasks.__name__",
    "a path": "../service/tasks",
    "a path of a file": "service/tasks.py",
    "another case": "service.tasks.Say_Hello",
    "white space around": " service.tasks.say_hello ",
    "a pattern": "service.tasks.*",
    "the alias of a task": "tests.tasks.alias_of_echo",
    "a megabyte": "x" * 1_000_000,
}


def assert_problem(response: Any, status: int, code: str, *, prefix: str = "") -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"{prefix}/problems/#{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert "Location" not in response.headers
    codes = {fault["code"] for fault in problem.get("errors", ())}
    assert codes <= FAULT_CODES.keys() | {kind.code for kind in Problem.every_kind()}
    return problem


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_refused(service: LiveService, body: bytes) -> None:
    assert_problem(service.post("/tasks/", content=body), 400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "pointer", "code"), NOT_STORABLE.values(), ids=NOT_STORABLE.keys()
)
def test_json_that_cannot_be_stored_is_refused_with_a_pointer(
    service: LiveService, body: bytes, pointer: str, code: str
) -> None:
    problem = assert_problem(service.post("/tasks/", content=body), 400, "invalid_request")

    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("body", TOO_DEEP_TO_PARSE.values(), ids=TOO_DEEP_TO_PARSE.keys())
def test_what_nests_too_deeply_to_be_parsed_is_refused(service: LiveService, body: bytes) -> None:
    problem = assert_problem(service.post("/tasks/", content=body), 400, "invalid_request")

    assert {fault["code"] for fault in problem["errors"]} == {"too_deep"}


@pytest.mark.parametrize(("body", "pointer"), NOT_A_CALL.values(), ids=NOT_A_CALL.keys())
def test_json_that_is_no_call_is_refused_with_a_pointer(
    service: LiveService, body: Any, pointer: str
) -> None:
    response = service.post("/tasks/", content=json.dumps(body).encode())

    problem = assert_problem(response, 400, "invalid_request")
    assert pointer in [fault["pointer"] for fault in problem["errors"]]


@pytest.mark.parametrize("name", NO_TASK_TYPE.values(), ids=NO_TASK_TYPE.keys())
def test_a_name_that_is_not_on_the_registry_is_refused(service: LiveService, name: str) -> None:
    problem = assert_problem(service.post("/tasks/", {"task": name}), 400, "unknown_task")

    assert [fault["pointer"] for fault in problem["errors"]] == ["/task"]
    assert not name or len(name) > 1000 or name not in json.dumps(problem)


def test_all_faults_are_reported_at_once_and_no_more_than_a_hundred(service: LiveService) -> None:
    body = {"task": 1, "args": 2, "priority": "3", "surplus": 4}
    problem = assert_problem(service.post("/tasks/", body), 400, "invalid_request")
    assert {fault["pointer"] for fault in problem["errors"]} == {f"/{name}" for name in body}

    many = call("[" + ",".join([r'"\u0000"'] * 5000) + "]")
    problem = assert_problem(service.post("/tasks/", content=many), 400, "invalid_request")
    assert len(problem["errors"]) == 100

    strangers = {f"member {number}": 1 for number in range(5000)}
    problem = assert_problem(service.post("/tasks/", strangers), 400, "invalid_request")
    assert len(problem["errors"]) == 100


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16, codecs.BOM_UTF32_BE])
def test_a_byte_order_mark_is_called_one(service: LiveService, mark: bytes) -> None:
    problem = service.post("/tasks/", content=mark + b'{"task": "x"}').json()

    assert problem["detail"].startswith("The body begins with a byte order mark")


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_called_one(service: LiveService, body: bytes) -> None:
    problem = service.post("/tasks/", content=body).json()

    assert problem["code"] == "malformed_json"
    assert problem["detail"] == "The body is empty; it should be JSON."


NULLS = dict.fromkeys(("args", "queue_name", "priority", "run_after"))


def test_null_for_an_optional_member_means_that_it_is_absent(service: LiveService) -> None:
    call = {"task": HELLO, "kwargs": {"name": "Ada"}}
    single = service.post("/tasks/", {**call, **NULLS})
    batch = service.post("/tasks/batch/", {"tasks": [{**call, **NULLS}, call]})
    nothing = service.post("/tasks/", {"task": ECHO, "args": None, "kwargs": None})

    assert [answer.status_code for answer in (single, batch, nothing)] == [202, 202, 202]
    for task in (single.json(), *batch.json()["results"]):
        assert (task["args"], task["queue_name"], task["priority"]) == ([], "default", 0)
        assert task["run_after"] is None
    assert (nothing.json()["args"], nothing.json()["kwargs"]) == ([], {})


STORABLE = {
    "nothing": {},
    "an empty name": {"": ""},
    "a name with everything": {"a/b~c.d \"'\\é😀": 1},
    "escapes": {"a": '"\\/\b\f\n\r\t'},
    "a character outside of the basic plane": {"a": "😀", "b": "\U0010ffff"},
    "noncharacters": {"a": "\ufffe\uffff"},
    "a delete character": {"a": "\x7f\x80"},
    "directional marks": {"a": "\u202e\u2066"},
    "small and large numbers": {"a": [0, -1, 2**63, 10**4299, 1e-320]},
    "true, false and null": {"a": [True, False, None]},
    "dunder names": {"__class__": 1, "__init__": 2},
    "30 levels below kwargs": {"a": json.loads(nested(30))},
    "names of ours": {"task": 1, "args": [], "kwargs": {}, "task_result": 1, "func": 2},
}


@pytest.mark.parametrize("kwargs", STORABLE.values(), ids=STORABLE.keys())
def test_what_is_stored_equals_what_was_sent(service: LiveService, kwargs: dict[str, Any]) -> None:
    response = service.post("/tasks/", {"task": ECHO, "kwargs": kwargs})
    assert response.status_code == 202, response.text
    assert response.json()["kwargs"] == kwargs

    task = service.wait_for(response.headers["Location"])

    assert task["kwargs"] == kwargs
    assert task["return_value"] == {"args": [], "kwargs": kwargs}


def test_numbers_are_equal_as_json_values(service: LiveService) -> None:
    body = call('{"a": [1e22, -0.0, 1.0, 1E2, 100e-2, -0, 1.7976931348623157e308]}')
    response = service.post("/tasks/", content=body)

    numbers = service.wait_for(response.headers["Location"])["kwargs"]["a"]
    # PostgreSQL spells the last one as an integer of 309 digits.
    assert [float(number) for number in numbers] == [1e22, 0, 1, 100, 1, 0, 1.7976931348623157e308]


def test_a_refused_request_stores_nothing(service: LiveService) -> None:
    """The task of a refused call would otherwise run before this one, which is enqueued later."""
    service.post("/tasks/", content=call(r'{"a": "refused\u0000"}'))
    service.post("/tasks/", {"task": ECHO, "kwargs": {"a": "refused"}, "priority": "high"})
    service.run_task(ECHO, a="accepted")

    assert "refused" not in service.log()
