"""Requests that wait for a task, and streams of events, on the real servers: no thread each, and no place lost."""

import json
import re
import select
import signal
import socket
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.live_service import LiveService, bearer, wait_until
from tests.service.gunicorn_worker.conftest import KINDS, THREADS, StartServer
from tests.service.gunicorn_worker.held import (
    HOOKS,
    WAIT,
    answer_from,
    assert_untroubled,
    cancel,
    enqueue,
    event_from,
    events_of,
    get_of,
    many_connected,
    post_of,
    request_of,
    reset,
    until_taken,
)
from tests.service.gunicorn_worker.test_malformed_requests import BODY
from tests.service.gunicorn_worker.test_slow_clients import LIVEZ, connected, worker_pid
from tests.service.gunicorn_worker.test_turns import answers_from

pytestmark = pytest.mark.sqlite

MANY = 200
FEW = """
from service import listening
listening._connections = lambda environment: 8
max_requests = 60
"""
ALIVE = b'{"status":"ok"}'
HOLDING = [KINDS[0], KINDS[2]]


@pytest.fixture(params=HOLDING, ids="-".join)
def server(
    request: pytest.FixtureRequest,
    servers: dict[tuple[str, str], LiveService],
    start_server: StartServer,
) -> LiveService:
    """The service under each worker class, with short times; tests share it, and leave no place taken."""
    kind = (request.param[0], "held")
    if kind not in servers:
        servers[kind] = start_server(*request.param, also=HOOKS)
    until_taken(servers[kind], 0)
    return servers[kind]


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def worker_pids(arbiter: int) -> set[str]:
    return set(Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split())


def access_lines(server: LiveService, identifier: str) -> list[str]:
    return [line for line in server.log().splitlines() if f"access [{identifier}]" in line]


def assert_waited(answer: HTTPResponse, *, status: str) -> None:
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert json.loads(answer.read())["status"] == status


def test_many_wait_without_threads_while_others_are_answered(server: LiveService) -> None:
    task = enqueue(server, name="Ada")
    with many_connected(server, [get_of(server, task)] * MANY) as waiting:
        until_taken(server, MANY)
        for _ in range(20):
            assert server.get(task["url"]).status_code == 200
        assert select.select(waiting, [], [], 0)[0] == []
        assert threads_of(worker_pid(server)) < 40 + THREADS
        cancel(server, task)
        for connection in waiting:
            assert_waited(answer_from(connection), status="FAILED")
    until_taken(server, 0)


@pytest.mark.parametrize("way", ["closed", "reset"])
@pytest.mark.parametrize("when", ["before it is held", "while it is held"])
def test_a_client_that_hangs_up_leaves_its_place(server: LiveService, way: str, when: str) -> None:
    task = enqueue(server, name="Ada")
    end = reset if way == "reset" else socket.socket.close
    for request in (get_of(server, task), post_of(server), events_of(server, task)):
        with many_connected(server, [request] * 10) as connections:
            if when == "while it is held":
                until_taken(server, 10)
            for connection in connections:
                end(connection)
        until_taken(server, 0)
    assert_untroubled(server)


def test_a_client_that_only_closes_its_side_is_answered(server: LiveService) -> None:
    for is_held in (False, True):
        with connected(server, post_of(server)) as connection:
            if is_held:
                until_taken(server, 1)
            connection.shutdown(socket.SHUT_WR)
            answer = answer_from(connection, method="POST")
            assert answer.status == 202
            assert_waited(answer, status="READY")


def test_the_last_request_of_a_client_is_not_taken_for_one_that_waited(
    server: LiveService,
) -> None:
    task = enqueue(server, name="Ada")
    for _ in range(10):
        with connected(server, get_of(server, task)) as connection:
            until_taken(server, 1)
            cancel(server, task)
            answer_from(connection).read()
            connection.sendall(LIVEZ)
            connection.shutdown(socket.SHUT_WR)
            assert answer_from(connection).read() == ALIVE
        task = enqueue(server, name="Ada")


def test_what_follows_a_request_that_waits_is_answered_after_it(server: LiveService) -> None:
    for request in (get_of, events_of):
        task = enqueue(server, name="Ada")
        with connected(server, request(server, task) + LIVEZ + LIVEZ) as connection:
            until_taken(server, 1)
            connection.sendall(LIVEZ)
            cancel(server, task)
            received = answers_from(connection, 3, ALIVE)
            assert received.count(b"HTTP/1.1 200 ") == 4
            assert received.index(b"TaskCancelled") < received.index(ALIVE)


@pytest.mark.parametrize(
    ("line", "lines", "version", "closes"),
    [
        ("POST /tasks/", ("Transfer-Encoding: chunked",), "1.1", False),
        ("POST /tasks/", (f"Content-Length: {len(BODY)}",), "1.0", True),
        ("POST /tasks/", (f"Content-Length: {len(BODY)}", "Connection: close"), "1.1", True),
        ("POST /tasks/", (f"Content-Length: {len(BODY)}", "Expect: 100-continue"), "1.1", False),
        ("HEAD {path}", (), "1.1", False),
    ],
    ids=["chunked", "HTTP/1.0", "closing", "expecting", "HEAD"],
)
def test_every_kind_of_request_waits(
    server: LiveService, line: str, lines: tuple[str, ...], version: str, closes: bool
) -> None:
    task = enqueue(server, name="Ada")
    line = line.format(path=f"/tasks/{task['id']}/")
    request = request_of(
        server, line, WAIT, "Content-Type: application/json", *lines, version=version
    )
    parts = [BODY[:5], BODY[5:]] if line.startswith("POST") else []
    is_chunked = "chunked" in str(lines)
    with connected(server, request) as connection:
        for part in parts:
            connection.sendall(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
        if is_chunked:
            connection.sendall(b"0\r\n\r\n")
        until_taken(server, 1)
        for pending in server.get("/tasks/?status=READY").json()["results"]:
            cancel(server, pending)
        method = line.partition(" ")[0]
        answer = answer_from(connection, method=method)
        assert (answer.status, answer.headers["Preference-Applied"]) == (200, "wait=30")
        assert (answer.read() == b"") == (method == "HEAD")
        if closes:
            assert connection.recv(1) == b""
        else:
            connection.sendall(LIVEZ)
            assert answer_from(connection).read() == ALIVE


def test_a_request_that_waits_is_logged_once_with_its_id_and_its_duration(
    server: LiveService,
) -> None:
    url = enqueue(server, name="Ada")["url"]
    waited = server.get(url, headers={"Prefer": "wait=1"})
    identifier = waited.headers["X-Request-ID"]
    (line,) = wait_until(lambda: access_lines(server, identifier), what="line")

    found = re.search(r'HTTP/1.1" 200 (\d+) (\d+)ms$', line)
    assert found is not None
    assert int(found[1]) == len(waited.content)
    assert int(found[2]) >= 1000
    server.get("/livez")
    assert len(access_lines(server, identifier)) == 1


@pytest.mark.parametrize("what", ["wait", "stream"])
def test_a_client_that_hangs_up_is_logged_once_with_its_id(server: LiveService, what: str) -> None:
    task = enqueue(server, name="Ada")
    identifier = f"hangs-up-{what}-{task['id']}"
    named = f"X-Request-ID: {identifier}"
    request = get_of(server, task, WAIT, named) if what == "wait" else None
    with connected(server, request or events_of(server, task, named)):
        until_taken(server, 1)
    (line,) = wait_until(lambda: access_lines(server, identifier), what="line")
    assert '" 200 ' in line


# Streams.


def test_a_stream_tells_each_change_and_the_end(server: LiveService) -> None:
    task = enqueue(server, name="Ada")
    with connected(server, events_of(server, task)) as connection:
        answer = answer_from(connection)
        assert answer.headers["Content-Type"] == "text/event-stream"
        first = event_from(answer)
        assert (first["event"], json.loads(first["data"])["status"]) == ("task", "READY")
        assert answer.readline() == b": \n"
        cancel(server, task)
        last = event_from(answer)
        assert (last["event"], json.loads(last["data"])["status"]) == ("task", "FAILED")
        assert last["id"] != first["id"]
        assert event_from(answer) == {"event": "end"}
        assert answer.read() == b""
        connection.sendall(LIVEZ)
        assert answer_from(connection).read() == ALIVE
        seen = f"Last-Event-ID: {last['id']}"
        connection.sendall(events_of(server, task, seen))
        assert answer_from(connection).status == 204
    until_taken(server, 0)


def test_a_client_of_http_1_0_gets_a_stream_up_to_the_end_of_the_connection(
    server: LiveService,
) -> None:
    task = enqueue(server, name="Ada")
    with connected(server, events_of(server, task, version="1.0")) as connection:
        answer = answer_from(connection)
        assert "Transfer-Encoding" not in answer.headers
        assert event_from(answer)["event"] == "task"
        cancel(server, task)
        assert event_from(answer)["event"] == "task"
        assert event_from(answer) == {"event": "end"}
        assert answer.read() == b""


def test_a_stream_of_a_revoked_key_ends_and_a_wait_is_refused(server: LiveService) -> None:
    key = server.create_client("leaving")
    task = server.post("/tasks/", json.loads(BODY), headers=bearer(key)).json()
    waiting = request_of(server, f"GET /tasks/{task['id']}/", WAIT, key=key)
    with many_connected(server, [events_of(server, task, key=key), waiting]) as connections:
        stream = answer_from(connections[0])
        event_from(stream)
        until_taken(server, 2)
        server.manage("disable_client", "leaving")
        assert event_from(stream) == {}
        assert answer_from(connections[1]).status == 401
    until_taken(server, 0)


# The end of a process.


def read_waiting(connections: list[socket.socket]) -> None:
    for connection in connections:
        assert_waited(answer_from(connection), status="READY")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("way", ["reload", "stop"])
def test_whoever_waits_is_answered_before_a_process_ends(server: LiveService, way: str) -> None:
    task = enqueue(server, name="Ada")
    waits = [get_of(server, task)] * 5 + [post_of(server)] * 5
    with (
        many_connected(server, waits) as waiting,
        many_connected(server, [events_of(server, task)] * 5) as streaming,
    ):
        until_taken(server, 15)
        streams = [answer_from(connection) for connection in streaming]
        assert {event_from(stream)["event"] for stream in streams} == {"task"}
        assert server.web is not None
        arbiter = server.web.pid
        before = worker_pids(arbiter)
        if way == "reload":
            server.web.send_signal(signal.SIGHUP)
        else:
            server.stop_web()
        read_waiting(waiting)
        for stream in streams:
            # Up to the last chunk, without an event for the end of the task.
            assert event_from(stream) == {}
    if way == "stop":
        server.start_web()
    else:
        wait_until(lambda: before.isdisjoint(worker_pids(arbiter)), what="new process")
    assert_untroubled(server)


@pytest.mark.parametrize("kind", HOLDING, ids="-".join)
def test_waiting_leaves_connections_to_others_and_ends_with_the_last_request_of_a_process(
    start_server: StartServer, kind: tuple[str, str]
) -> None:
    server = start_server(*kind, also=HOOKS + FEW)
    task = enqueue(server, name="Ada")
    # A quarter of the connections is for others, and one place for another client.
    with many_connected(server, [get_of(server, task)] * 5) as waiting:
        until_taken(server, 5)
        at_once = server.get(task["url"], headers={"Prefer": "wait=30"})
        assert "Preference-Applied" not in at_once.headers
        assert select.select(waiting, [], [], 0)[0] == []

        def have_answers() -> bool:
            server.get("/livez")
            return len(select.select(waiting, [], [], 0)[0]) == len(waiting)

        wait_until(have_answers, what="answers before the process ends")
        read_waiting(waiting)
    wait_until(lambda: server.get("/livez").status_code == 200, what="new process")
