"""Requests that RFC 9112 forbids: each worker class refuses them, with each of gunicorn's parsers."""

import json
import socket
from typing import Any

import pytest

from tests.live_service import DEADLINE, LiveService, wait_until

pytestmark = pytest.mark.sqlite

SECRET = "tk_abcdefghijkl_" + "s" * 49
BODY = b'{"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}'


def head(*lines: str, end: str = "\r\n") -> bytes:
    return end.join([*lines, "", ""]).encode("latin-1")


MALFORMED = {
    "lines that end with LF": head("GET /livez HTTP/1.1", "Host: localhost", end="\n"),
    "one line that ends with LF": b"GET /livez HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
    "a request line that ends with LF": b"GET /livez HTTP/1.1\nHost: localhost\r\n\r\n",
    "a bare CR": b"GET /livez HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
    "a folded line": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: y\r\n z\r\n\r\n",
    "a line folded with a tab": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\tz\r\n\r\n",
    "a folded first line": b"GET /livez HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "two spaces": head("GET  /livez HTTP/1.1", "Host: localhost"),
    "two spaces before the version": head("GET /livez  HTTP/1.1", "Host: localhost"),
    "a space at the end": head("GET /livez HTTP/1.1 ", "Host: localhost"),
    "a tab instead of a space": head("GET\t/livez HTTP/1.1", "Host: localhost"),
    "a control character in the target": head("GET /livez\x01 HTTP/1.1", "Host: localhost"),
    "an empty line first": b"\r\n" + head("GET /livez HTTP/1.1", "Host: localhost"),
    "no version": head("GET /livez", "Host: localhost"),
    "HTTP/2.0": head("GET /livez HTTP/2.0", "Host: localhost"),
    "HTTP/1.10": head("GET /livez HTTP/1.10", "Host: localhost"),
    "a method in lower case": head("get /livez HTTP/1.1", "Host: localhost"),
    "no target": head("GET HTTP/1.1", "Host: localhost"),
    "an asterisk": head("GET * HTTP/1.1", "Host: localhost"),
    "no colon": head("GET /livez HTTP/1.1", "Host: localhost", f"Authorization Bearer {SECRET}"),
    "a space before the colon": head("GET /livez HTTP/1.1", "Host : localhost"),
    "no name": head("GET /livez HTTP/1.1", "Host: localhost", ": x"),
    "NUL in a value": head("GET /livez HTTP/1.1", "Host: localhost", "X: a\0b"),
    "an odd name": head("GET /livez HTTP/1.1", "Host: localhost", f"X({SECRET}): y"),
    "an odd method": head(f"GET{SECRET}( /livez HTTP/1.1", "Host: localhost"),
    "an odd version": head(f"GET /livez HTTP/{SECRET}", "Host: localhost"),
    "a secret in a bad line": head(f"GET /livez?{SECRET} x HTTP/1.1", "Host: localhost"),
    "no Host": head("GET /livez HTTP/1.1"),
    "two Hosts": head("GET /livez HTTP/1.1", "Host: localhost", "Host: localhost"),
    "a coding beside chunked": head(
        "POST /tasks/ HTTP/1.1", "Host: localhost", "Transfer-Encoding: gzip, chunked"
    ),
    "an unknown coding": head("POST /tasks/ HTTP/1.1", "Host: localhost", "Transfer-Encoding: x"),
    "two codings": head(
        "POST /tasks/ HTTP/1.1",
        "Host: localhost",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked",
    ),
    "chunked in HTTP/1.0": head(
        "POST /tasks/ HTTP/1.0", "Host: localhost", "Transfer-Encoding: chunked"
    ),
    "a length beside chunked": head(
        "POST /tasks/ HTTP/1.1",
        "Host: localhost",
        "Transfer-Encoding: chunked",
        "Content-Length: 3",
    ),
    **{
        f"the length {length}": head(
            "POST /tasks/ HTTP/1.1", "Host: localhost", f"Content-Length: {length}"
        )
        for length in ("+5", "-5", "0x5", "1_0", "5, 5", "", "\xb2", "9" * 30, "9" * 5000)
    },
    "two lengths": head(
        "POST /tasks/ HTTP/1.1", "Host: localhost", "Content-Length: 5", "Content-Length: 5"
    ),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
TOO_MUCH = {
    "an expectation": (head("GET /livez HTTP/1.1", "Host: localhost", f"Expect: {SECRET}"), 417),
    "a long line": (head(f"GET /livez?{'x' * 9000} HTTP/1.1", "Host: localhost"), 414),
    "many headers": (head("GET /livez HTTP/1.1", "Host: localhost", *["X: y"] * 101), 431),
    "a long header": (head("GET /livez HTTP/1.1", "Host: localhost", "X: " + "y" * 9000), 431),
    "a long head": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000, 431),
}


def problem_of(answer: bytes, status: int) -> dict[str, Any]:
    fields, _, body = answer.partition(b"\r\n\r\n")
    assert fields.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"Content-Type: application/problem+json\r\n" in fields
    assert b"Connection: close" in fields
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status
    assert f"X-Request-ID: {problem['request_id']}".encode() in fields
    return problem


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_http_is_refused_and_not_repeated(server: LiveService, request_: bytes) -> None:
    answer = server.raw(request_)

    problem = problem_of(answer, 400)
    assert problem["code"] == "invalid_request"
    assert SECRET.encode() not in answer
    line = f"[{problem['request_id']}] Refused a request from 127.0.0.1: "
    wait_until(lambda: line in server.log(), what="line in the log")
    assert SECRET not in server.log()


@pytest.mark.parametrize(("request_", "status"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_what_is_too_much_is_refused(server: LiveService, request_: bytes, status: int) -> None:
    answer = server.raw(request_)

    assert problem_of(answer, status)["code"] == "invalid_request"
    assert SECRET.encode() not in answer
    assert SECRET not in server.log()


def test_a_refused_request_has_an_id_of_its_own(server: LiveService) -> None:
    last = head("GET /livez HTTP/1.1", "Host: localhost", "X-Request-ID: the-one-before")
    answers = server.raw(last + head("GET /livez HTTP/1.1"))

    problem = problem_of(answers[answers.index(b"HTTP/1.1 400 ") :], 400)
    assert problem["request_id"] != "the-one-before"
    assert "[the-one-before] Refused" not in server.log()


def test_a_head_may_arrive_byte_by_byte(server: LiveService) -> None:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head("GET /livez HTTP/1.1", "Host: localhost", "Connection: close"):
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_is_shorter_than_announced_is_refused(server: LiveService) -> None:
    announced = head(
        "POST /tasks/ HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {server.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY) + 1}",
    )
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as connection:
        connection.sendall(announced + BODY)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 400 "), answer


def test_requests_that_are_sent_without_waiting_are_all_answered(server: LiveService) -> None:
    post = head(
        "POST /tasks/ HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {server.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
    )
    chunked = head("POST /tasks/ HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked")
    end = head("GET /livez HTTP/1.1", "Host: localhost", "Connection: close")

    answers = server.raw((post + BODY) * 3 + end)
    assert answers.count(b"HTTP/1.1 202 ") == 3
    assert answers.count(b"HTTP/1.1 200 ") == 1
    assert server.raw(chunked + b"0\r\n\r\n" + end).startswith(b"HTTP/1.1 401 ")


def test_requests_before_the_end_of_a_client_are_all_answered(server: LiveService) -> None:
    livez = head("GET /livez HTTP/1.1", "Host: localhost")
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as connection:
        connection.sendall(livez * 3)
        connection.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 ") == 3
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as connection:
        connection.sendall(livez * 2 + livez[:-2])
        connection.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 ") == 2
    assert answers.count(b"HTTP/1.1 400 ") == 1


@pytest.mark.parametrize(
    ("line", "scheme"),
    [
        ("X-Forwarded-Proto: https", "https"),
        ("X-Forwarded-Proto: http", "http"),
        ("X-Forwarded-Ssl: on", "http"),
        ("X-Forwarded-Protocol: ssl", "http"),
        ("X-Forwarded-Scheme: https", "http"),
    ],
)
def test_one_header_says_the_scheme(server: LiveService, line: str, scheme: str) -> None:
    lines = ("Host: localhost", line, f"Authorization: Bearer {server.key}", "Connection: close")
    answer = server.raw(head("GET / HTTP/1.1", *lines))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert f'"{scheme}://localhost/tasks/'.encode() in answer


def test_the_log_tells_of_a_refused_request_once(server: LiveService) -> None:
    problem = problem_of(server.raw(head("GET  / HTTP/1.1")), 400)

    identifier = problem["request_id"]
    wait_until(lambda: identifier in server.log(), what="line in the log")
    lines = [line for line in server.log().splitlines() if identifier in line]
    assert len(lines) == 1
