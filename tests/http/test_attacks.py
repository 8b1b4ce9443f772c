"""What an attacker tries."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from django.core.signals import got_request_exception
from django.db import ProgrammingError
from django.test import Client
from django.views.debug import ExceptionReporter
from django_tasks_db.models import DBTaskResult

from tasks_api import models
from tasks_api.clients import keys
from tests.conftest import StartService
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService, bearer, wait_until

HELLO = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
BODY = json.dumps(HELLO).encode()

in_process = pytest.mark.django_db(transaction=True)


def request_line(line: str, *headers: str, key: str | None = None, body: bytes = b"") -> bytes:
    lines = [line, *headers, "Connection: close", f"Content-Length: {len(body)}"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def post(*headers: str, key: str | None) -> bytes:
    json_headers = ("Content-Type: application/json", *headers)
    return request_line("POST /tasks/ HTTP/1.1", *json_headers, key=key, body=BODY)


def location_of(answer: bytes) -> str:
    head = answer.split(b"\r\n\r\n")[0].decode("latin-1")
    assert head.startswith("HTTP/1.1 202 "), head
    (location,) = [line for line in head.split("\r\n") if line.lower().startswith("location:")]
    return location.partition(":")[2].strip()


@pytest.mark.sqlite
def test_the_key_is_in_no_log_and_no_file(start_service: StartService) -> None:
    service = start_service({"LOG_LEVEL": "DEBUG", "DEBUG": "on"}, worker=False)
    key = service.create_client("spy", "--rate=100/min")
    url = service.post("/tasks/", HELLO, headers=bearer(key)).headers["Location"]
    for path in (url, "/tasks/", "/nothing", "/openapi.yaml", "/docs/", "/tasks/?x=1"):
        response = service.get(path, headers=bearer(key))
        assert key.split("_")[2] not in response.text + str(response.headers)
    service.get("/client/", headers=bearer(key + "x"))
    service.post("/tasks/", {}, headers={**bearer(key), "Idempotency-Key": "k"})
    service.raw(post("Host: evil", key=key))
    assert key.split("_")[1] in service.manage("list_clients").stdout
    service.stop()

    secret = key.split("_")[2].encode()
    assert b"POST /tasks/" in service.log_file.read_bytes()
    database = urlsplit(service.database_url).path
    for file in (service.log_file, *service.log_file.parent.glob("db.sqlite3*")):
        assert secret not in file.read_bytes(), file
    assert key.split("_")[1].encode() in Path(database).read_bytes()


@in_process
def test_the_key_is_in_no_report_of_an_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    reports: list[str] = []

    def report(request: Any, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])

    client.raise_request_exception = False
    secret = client.defaults["HTTP_AUTHORIZATION"].split("_")[2]
    got_request_exception.connect(report)
    try:
        for broken in ("tasks_api.clients.keys._usable", "tasks_api.http.views.tasks.page_of"):
            with patch(broken, side_effect=ProgrammingError("no such table")):
                response = client.get("/tasks/")
            assert_problem(response, 500, "internal_error")
            assert secret not in response.content.decode()
    finally:
        got_request_exception.disconnect(report)

    assert len(reports) == 4
    assert all("no such table" in text and secret not in text for text in reports)
    assert "no such table" in caplog.text
    assert secret not in caplog.text


def test_two_authorization_headers_are_no_key(service: LiveService) -> None:
    key = service.key
    for other in (f"Authorization: Bearer {key}", "Authorization: Basic eDp5"):
        answer = service.raw(
            request_line("GET /client/ HTTP/1.1", "Host: localhost", other, key=key)
        )
        assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 ")), answer
        assert str(key).encode() not in answer


@pytest.mark.parametrize(
    "value",
    ["\xff\xfe\x80", "Bearer \x01\x02", "Bearer " + "x" * 10_000, "Bearer \x00", "Bearer \u00a0"],
)
def test_odd_bytes_and_much_of_them_are_no_key(service: LiveService, value: str) -> None:
    answer = service.raw(
        request_line("GET /client/ HTTP/1.1", "Host: localhost", f"Authorization: {value}")
    )

    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert service.get("/client/").status_code == 200


def test_without_a_key_no_body_is_read(service: LiveService) -> None:
    headers = ("Host: localhost", "Content-Type: application/json", "Connection: close")
    announced = "\r\n".join(["POST /tasks/ HTTP/1.1", *headers, "Content-Length: 1000", "", ""])

    # Not a byte of it is sent: whoever waited for it would wait for ever.
    assert service.raw(announced.encode()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "name",
    [
        "service.tasks.say_hello.func",
        "service.tasks.say_hello.__class__",
        "service.tasks.__builtins__",
        "service.tasks.time.sleep",
        "service.tasks.send_mail",
        "service.tasks",
        "service.tasks.*",
        "../service.tasks.say_hello",
        "service/tasks/say_hello",
        "service.tasks.say_hello ",
        "SERVICE.TASKS.SAY_HELLO",
        "tests.tasks.alias_of_echo",
        "os.system",
        "antigravity.geohash",
        "",
        "\u0000",
        "\uff53ervice.tasks.say_hello",
    ],
)
def test_a_name_leads_to_a_task_type_or_nowhere(service: LiveService, name: str) -> None:
    answer = service.post("/tasks/", content=json.dumps({"task": name}).encode())
    assert answer.status_code == 400
    assert answer.json()["code"] in {"unknown_task", "invalid_request"}
    path = f"/task-types/{quote(name, safe='')}/"
    if name:
        assert_problem(service.get(path), 404, "not_found")


FORWARDED = (
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Server: evil.example",
    "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Ssl: on",
    "X-Script-Name: /evil",
    "X-Original-URL: /evil",
    "Forwarded: host=evil.example;proto=https",
    "X-Host: evil.example",
)


@pytest.mark.sqlite
def test_what_an_untrusted_peer_forwards_is_not_believed(start_service: StartService) -> None:
    service = start_service({"FORWARDED_ALLOW_IPS": "192.0.2.1"}, worker=False)
    answer = service.raw(post(f"Host: localhost:{service.port}", *FORWARDED, key=service.key))

    assert location_of(answer).startswith(f"http://localhost:{service.port}/tasks/")
    assert b"evil" not in answer


def test_of_a_trusted_peer_the_scheme_alone_is_believed(service: LiveService) -> None:
    headers = (f"Host: localhost:{service.port}", *FORWARDED, "SCRIPT_NAME: /evil", "PATH_INFO: /x")
    answer = service.raw(post(*headers, key=service.key))

    assert location_of(answer).startswith(f"https://localhost:{service.port}/tasks/")
    assert b"evil" not in answer


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost@evil.example", "localhost.evil.example"]
)
def test_a_foreign_host_never_reaches_an_answer(service: LiveService, host: str) -> None:
    for answer in (
        service.raw(post(f"Host: {host}", key=service.key)),
        service.raw(post("Host: localhost", f"Host: {host}", key=service.key)),
    ):
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b"evil" not in answer


def test_a_foreign_request_target_never_reaches_an_answer(service: LiveService) -> None:
    line = "POST http://evil.example/tasks/ HTTP/1.1"
    headers = (f"Host: localhost:{service.port}", "Content-Type: application/json")
    answer = service.raw(request_line(line, *headers, key=service.key, body=BODY))

    assert b"evil" not in answer


@pytest.mark.parametrize(
    "value",
    [
        "a\r\n b",
        "a\nSet-Cookie: x=1",
        "a%0d%0aSet-Cookie:x=1",
        "a\rb",
        "\x0b",
        "a\u2028b"[:1] + "\x85",
    ],
)
def test_a_request_id_with_line_breaks_breaks_no_line(service: LiveService, value: str) -> None:
    answer = service.raw(
        request_line("GET /livez HTTP/1.1", "Host: localhost", f"X-Request-ID: {value}")
    )
    head = answer.split(b"\r\n\r\n")[0]

    assert b"Set-Cookie" not in head
    assert head.lower().count(b"x-request-id:") <= 1


def test_a_path_with_line_breaks_makes_no_line_of_its_own_in_the_log(service: LiveService) -> None:
    assert service.get("/%0d%0aFORGED%0aLINE").status_code == 404
    assert service.get("/tasks/%0aFORGED/").status_code == 404

    wait_until(lambda: "    FORGED" in service.log(), what="line in the log")
    assert not any(line.startswith("FORGED") for line in service.log().splitlines())


@pytest.fixture
def rows(client: Client) -> Iterator[None]:
    """Nothing may be stored, in the database or in memory, while a test runs."""
    tables = (DBTaskResult, models.IdempotencyRecord, models.TaskOwner, models.ClientKey)

    def sizes() -> list[int]:
        stored = [table.objects.count() for table in tables]
        return [*stored, len(keys._remembered._entries)]

    assert client.get("/client/").status_code == 200
    before = sizes()
    yield
    assert sizes() == before


@in_process
def test_refused_requests_leave_nothing_behind(rows: None, client: Client) -> None:
    for number in range(30):
        headers = {"Idempotency-Key": f"k{number}"}
        for body in ("{", '{"task": "nothing"}', '{"task": "service.tasks.say_hello"}'):
            refused = client.post("/tasks/", body, content_type="application/json", headers=headers)
            assert refused.status_code == 400
        wrong = bearer(keys.key_format.generate().text)
        assert client.get("/client/", headers=wrong).status_code == 401


@in_process
def test_what_one_request_stores_is_bounded(client: Client) -> None:
    large = json.dumps({**HELLO, "kwargs": {"name": "x" * (1 << 20)}})
    response = client.post("/tasks/", large, content_type="application/json")
    assert_problem(response, 413, "body_too_large")

    long_key = {"Idempotency-Key": "k" * 256}
    refused = client.post(
        "/tasks/", json.dumps(HELLO), content_type="application/json", headers=long_key
    )
    assert_problem(refused, 400, "invalid_request")
    assert not DBTaskResult.objects.exists()
