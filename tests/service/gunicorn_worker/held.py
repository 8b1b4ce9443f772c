"""Clients whose requests are held: what they send, and what comes back."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from itertools import count
from typing import Any

from tests.live_service import LiveService, wait_until
from tests.service.gunicorn_worker.test_malformed_requests import BODY, head
from tests.service.gunicorn_worker.test_slow_clients import connected

HEARTBEAT_SECONDS = 0.3
HOOKS = f"""
import os
os.environ["REMEMBER_KEYS_SECONDS"] = "1"

def post_worker_init(worker):
    from tasks_api.http.holding import stream
    stream.HEARTBEAT_SECONDS = {HEARTBEAT_SECONDS}

def pre_request(worker, request):
    if request.path.startswith("/places-taken/"):
        from tasks_api.http.holding.places import places
        worker.log.info("%s: %d.", request.path, len(places._taken))
"""
"""For gunicorn's configuration: tests see how many places are taken, and need not wait long."""

WAIT = "Prefer: wait=30"
_numbers = count()


def request_of(
    server: LiveService, line: str, *lines: str, version: str = "1.1", key: str | None = None
) -> bytes:
    authorization = f"Authorization: Bearer {key or server.key}"
    return head(f"{line} HTTP/{version}", "Host: localhost", authorization, *lines)


def post_of(server: LiveService, *lines: str, body: bytes = BODY) -> bytes:
    json = "Content-Type: application/json"
    length = f"Content-Length: {len(body)}"
    return request_of(server, "POST /tasks/", json, length, WAIT, *lines) + body


def get_of(server: LiveService, task: dict[str, Any], *lines: str) -> bytes:
    return request_of(server, f"GET /tasks/{task['id']}/", *(lines or (WAIT,)))


def events_of(server: LiveService, task: dict[str, Any], *lines: str, **others: Any) -> bytes:
    return request_of(server, f"GET /tasks/{task['id']}/events/", *lines, **others)


def enqueue(server: LiveService, **kwargs: Any) -> dict[str, Any]:
    response = server.post("/tasks/", {"task": "service.tasks.say_hello", "kwargs": kwargs})
    task: dict[str, Any] = response.json()
    return task


def cancel(server: LiveService, task: dict[str, Any]) -> None:
    assert server.post(f"/tasks/{task['id']}/cancel/").status_code == 200


def places_taken(server: LiveService) -> int:
    path = f"/places-taken/{next(_numbers)}"
    server.get(path)
    found = wait_until(
        lambda: [line for line in server.log().splitlines() if f" {path}: " in line], what=path
    )
    return int(found[0].rpartition(" ")[2].rstrip("."))


def until_taken(server: LiveService, number: int) -> None:
    wait_until(lambda: places_taken(server) == number, what=f"{number} places taken")


def assert_untroubled(server: LiveService) -> None:
    log = server.log()
    found = log.find("Traceback")
    assert found < 0, log[max(found - 500, 0) : found + 8000]


def answer_from(connection: socket.socket, *, method: str = "GET") -> HTTPResponse:
    """Return the answer, whose body is to be read yet."""
    answer = HTTPResponse(connection, method=method)
    answer.begin()
    return answer


@contextmanager
def many_connected(server: LiveService, requests: list[bytes]) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connected(server, request)) for request in requests]


def reset(connection: socket.socket) -> None:
    """Close the connection so that the other side gets an error."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def event_from(answer: HTTPResponse) -> dict[str, str]:
    """Return the fields of the next event; none at the end of the stream."""
    fields: dict[str, str] = {}
    while line := answer.readline():
        if line == b"\n" and fields:
            break
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name.rstrip(":") and value:
            fields[name] = value
    return fields
