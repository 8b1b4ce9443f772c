"""A request makes no answer and no work that is out of proportion to it."""

import json
import resource
from typing import Any

import pytest
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from tasks_api.faults import MAX_FAULTS, Fault
from tasks_api.http.protocol import problem_json
from tasks_api.http.protocol.problem_json import MAX_PROBLEM_BYTES, problem_response
from tasks_api.ids import task_id
from tasks_api.models import Client as Owner
from tasks_api.problems import InvalidRequest

LONG_NAME = "k" * 500_000
ECHO = "tests.tasks.echo"


def call(kwargs: Any) -> dict[str, Any]:
    return {"task": ECHO, "kwargs": kwargs}


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()


BODIES = {
    "unstorable texts under a long name": raw(call({LONG_NAME: ["\0"] * 120})),
    "numbers that are too large under a long name": raw(call({LONG_NAME: [0] * 90_000})).replace(
        b"0, ", b"1e999,"
    ),
    "levels under a long name": raw({LONG_NAME: [json.loads("[" * 40 + "]" * 40)] * 1000}),
    "unknown members with short names": raw({str(number): 1 for number in range(70_000)}),
    "unknown members with long names": raw({f"{number}" * 3000: 1 for number in range(100, 200)}),
    "names of control characters": raw({f"\x01{number}" * 90: 1 for number in range(1_000)}),
    "repeated members with long names": f'{{"{LONG_NAME}": 1, "{LONG_NAME}": 2}}'.encode(),
    "a thousand calls with a hundred unknown members": raw(
        {"tasks": [{"task": ECHO, **{str(number): 1 for number in range(100)}}] * 900}
    ),
    "a thousand calls without anything": raw({"tasks": [{}] * 1000}),
    "a thousand calls with long names": raw({"tasks": [{"n" * 900: 1}] * 1000}),
    "arguments that a function does not have": raw(
        {"task": "service.tasks.say_hello", "kwargs": {str(number): 1 for number in range(70_000)}}
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/tasks/", "/tasks/batch/", "cancel", "retry"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_refusal_is_small_and_costs_little(
    client: Client, tasks_client: Owner, path: str, body: bytes
) -> None:
    if not path.startswith("/"):
        path = f"/tasks/{task_id(tasks_client.number, 0, 0)}/{path}/"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    response = client.post(path, body, content_type="application/json")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert len(body) <= 1024 * 1024
    assert response.status_code == 400
    assert 1 <= len(response.json()["errors"]) <= MAX_FAULTS
    assert len(response.content) <= MAX_PROBLEM_BYTES
    # In kilobytes; the body itself is held several times while it is parsed.
    assert grown < 150 * 1024


@pytest.mark.django_db(transaction=True)
def test_parameters_that_are_not_known_are_not_all_repeated(client: Client) -> None:
    query = "&".join(f"{number}{'x' * 1000}=1" for number in range(900))
    response = client.get(f"/tasks/?{query}")

    assert response.status_code == 400
    assert 1 <= len(response.json()["errors"]) <= MAX_FAULTS
    assert len(response.content) <= MAX_PROBLEM_BYTES


@given(
    st.lists(
        st.builds(
            Fault,
            code=st.just("enum"),
            detail=st.text(max_size=2000).map(lambda text: text * 20),
            pointer=st.text(max_size=50).map(lambda text: text * 10),
        ),
        min_size=1,
        max_size=MAX_FAULTS,
    )
)
def test_no_problem_is_larger_than_its_limit(faults: list[Fault]) -> None:
    response = problem_response(InvalidRequest(faults=faults), RequestFactory().get("/"))
    listed = json.loads(response.content)["errors"]

    assert len(response.content) <= problem_json.MAX_PROBLEM_BYTES
    assert [fault["pointer"] for fault in listed] == [
        fault.pointer for fault in faults[: len(listed)]
    ]
    assert listed


@pytest.mark.django_db(transaction=True)
def test_problems_are_written_like_other_answers(client: Client) -> None:
    response = client.post("/tasks/", raw({"größe": 1}), content_type="application/json")

    problem = response.json()
    assert (
        response.content == json.dumps(problem, ensure_ascii=False, separators=(",", ":")).encode()
    )
    assert "/größe".encode() in response.content
