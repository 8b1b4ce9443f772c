"""What holds for every operation: forms of URLs, methods, media types, sizes, headers."""

import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService, bearer, wait_until

CALL = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
BODY = b'{"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}'


@pytest.fixture
def task_path(service: LiveService) -> str:
    location: str = service.post("/tasks/", CALL).headers["Location"]
    return location.removeprefix(service.url)


def test_a_resource_has_two_forms_and_emits_the_one_with_the_slash(
    service: LiveService, task_path: str
) -> None:
    for path in ("/tasks/", "/tasks"):
        response = service.post(path, CALL)
        assert response.status_code == 202
        assert response.headers["Location"] == response.json()["url"]
        assert response.headers["Location"] == f"{service.url}/tasks/{response.json()['id']}/"
    for path in (
        task_path,
        "/task-types/",
        "/task-types/service.tasks.say_hello/",
        "/docs/",
        "/problems/",
    ):
        with_slash, without = service.get(path), service.get(path.rstrip("/"))
        assert with_slash.status_code == without.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/tasks/a/b/",
        "/tasks//",
        "/task-types/nothing/",
        "/task-types/../tasks/x/",
        "/livez/",
        "/openapi.yaml/",
        "/favicon.ico",
        "/static/nothing.js",
        "/admin",
        "/%00",
        "/%ff%fe",
        "/tasks/%00/",
        "/tasks/%2e%2e/",
        "/..%2f..%2fetc/passwd",
        "/é",
    ],
)
def test_an_unknown_url_is_a_problem(service: LiveService, path: str) -> None:
    assert_problem(service.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_an_unknown_url_is_a_problem_for_every_method(service: LiveService, method: str) -> None:
    response = service.client.request(method, "/nothing")

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "identifier",
    [
        "x",
        "1",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-8fff-bfff-ffffffffffff",
        "{00000000-01a2-8065-b99c-d4393fc1e781}",
        "urn:uuid:00000000-01a2-8065-b99c-d4393fc1e781",
        "'; DROP TABLE tasks; --",
        "x" * 3000,
    ],
)
def test_a_task_that_is_not_there_is_a_problem(service: LiveService, identifier: str) -> None:
    assert_problem(service.get(f"/tasks/{identifier}/"), 404, "not_found")


def test_a_task_has_one_url(service: LiveService, task_path: str) -> None:
    identifier = task_path.split("/")[2]
    without_hyphens = identifier.replace("-", "")
    assert_problem(service.get(f"/tasks/{without_hyphens}/"), 404, "not_found")


def test_an_id_is_taken_in_any_case_and_told_in_lower_case(
    service: LiveService, task_path: str
) -> None:
    identifier = service.wait_for(task_path)["id"]
    path = f"/tasks/{identifier.upper()}/"
    key = {"Idempotency-Key": identifier}
    retried = [
        service.post(f"/tasks/{one}/retry/", headers=key)
        for one in (identifier, identifier.upper())
    ]
    answers = [service.get(path), service.get(f"/tasks/?id={identifier.upper()}&id={identifier}")]

    assert answers[0].json()["id"] == identifier
    assert answers[0].json()["url"].endswith(task_path)
    assert [task["id"] for task in answers[1].json()["results"]] == [identifier]
    assert_problem(service.post(f"{path}cancel/"), 409, "not_cancellable")
    assert {answer.status_code for answer in retried} <= {200, 202}
    assert retried[0].json()["id"] == retried[1].json()["id"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/tasks/", "GET, POST, HEAD, OPTIONS"),
        ("/task-types/", "GET, HEAD, OPTIONS"),
        ("/task-types/service.tasks.add/", "GET, HEAD, OPTIONS"),
        ("/tasks/x/", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ],
)
def test_wrong_methods_and_options_name_the_allowed_ones(
    service: LiveService, path: str, allowed: str
) -> None:
    options = service.client.options(path)
    assert (options.status_code, options.content) == (204, b"")
    assert "Content-Length" not in options.headers
    assert options.headers["Allow"] == allowed
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - {
        *allowed.split(", ")
    }:
        response = service.client.request(method, path)
        assert_problem(response, 405, "method_not_allowed")
        assert response.headers["Allow"] == allowed


def test_head_answers_as_get_without_a_body(service: LiveService, task_path: str) -> None:
    service.wait_for(task_path)
    get, head = service.get(task_path), service.client.head(task_path)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control", "Vary"):
        assert head.headers[name] == get.headers[name]
    assert service.client.head("/tasks/x/").status_code == 404
    # A warning of gunicorn's.
    assert "no-body response" not in service.log()


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/xml",
        "application/jsonp",
        "application/problem+json",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "nonsense",
    ],
)
def test_another_media_type_is_refused(service: LiveService, media_type: str) -> None:
    response = service.post("/tasks/", content=BODY, headers={"Content-Type": media_type})

    assert_problem(response, 415, "unsupported_media_type")


def test_json_is_taken_in_the_usual_spellings(service: LiveService) -> None:
    for media_type in (
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ):
        response = service.post("/tasks/", content=BODY, headers={"Content-Type": media_type})
        assert response.status_code == 202, media_type


def test_a_compressed_body_is_refused(service: LiveService) -> None:
    response = service.post("/tasks/", content=BODY, headers={"Content-Encoding": "gzip"})

    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/xml, text/*"])
def test_an_accept_header_that_rules_json_out_is_refused_and_nothing_enqueued(
    service: LiveService, accept: str
) -> None:
    response = service.post("/tasks/", CALL, headers={"Accept": accept})

    assert_problem(response, 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "application/json; charset=utf-8",
        "application/json;version=1, text/html",
        "text/html, application/json;q=0.1",
        "application/json, */*;q=0",
    ],
)
def test_an_accept_header_that_admits_json_is_served(service: LiveService, accept: str) -> None:
    response = service.get("/task-types/", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


def test_documents_have_one_form_whatever_accept_says(service: LiveService) -> None:
    for path, media_type in {
        "/docs/": "text/html; charset=utf-8",
        "/problems/": "text/html; charset=utf-8",
        "/openapi.yaml": "application/yaml",
        "/openapi.json": "application/json",
    }.items():
        response = service.get(path, headers={"Accept": "image/png"})
        assert response.status_code == 200
        assert response.headers["Content-Type"] == media_type


def test_a_chunked_body_is_read_like_any_other(service: LiveService) -> None:
    def chunks() -> Iterator[bytes]:
        for index in range(0, len(BODY), 7):
            yield BODY[index : index + 7]

    response = service.post("/tasks/", content=chunks())
    assert response.status_code == 202
    assert response.json()["kwargs"] == {"name": "Ada"}

    assert_problem(service.post("/tasks/", content=iter([b"{"])), 400, "malformed_json")
    assert_problem(service.post("/tasks/", content=iter([])), 400, "malformed_json")


def test_a_body_may_be_a_mebibyte_and_no_more(service: LiveService) -> None:
    def body(size: int) -> bytes:
        start = b'{"task": "tests.tasks.echo", "kwargs": {"a": "'
        return start + b"x" * (size - len(start) - 3) + b'"}}'

    limit = 1024 * 1024
    assert service.post("/tasks/", content=body(limit)).status_code == 202
    assert_problem(service.post("/tasks/", content=body(limit + 1)), 413, "body_too_large")
    assert_problem(service.post("/tasks/", content=iter([body(limit + 1)])), 413, "body_too_large")
    assert_problem(service.post("/tasks/", content=body(5 * limit)), 413, "body_too_large")
    assert service.get("/livez").status_code == 200


def test_a_body_that_ends_too_early_is_a_problem(service: LiveService) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
        connection.sendall(
            b"POST /tasks/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + str(service.key).encode() + b"\r\n"
            b"Content-Length: 100\r\nConnection: close\r\n\r\n" + BODY[:20]
        )
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"malformed_json" in answer


@pytest.mark.parametrize("path", ["/tasks/?format=json", "/tasks?x", "/tasks/?task=a&task=b"])
def test_an_unknown_query_parameter_is_refused(service: LiveService, path: str) -> None:
    problem = assert_problem(service.post(path, CALL), 400, "invalid_request")

    assert problem["errors"][0]["parameter"] in path


def test_unknown_query_parameters_are_refused_where_there_are_too_many(
    service: LiveService,
) -> None:
    query = "&".join(f"p{number}=1" for number in range(1100))

    assert_problem(service.get(f"/task-types/?{query}"), 400, "invalid_request")


def test_a_host_that_is_not_ours_is_refused_and_not_repeated(service: LiveService) -> None:
    for host in ("evil.example", "localhost:8000@evil.example", "localhost/..", "a b"):
        response = service.post("/tasks/", CALL, headers={"Host": host})
        problem = assert_problem(response, 400, "invalid_request")
        assert problem["errors"][0]["header"] == "Host"
        assert "evil.example" not in response.text
        assert "evil.example" not in str(response.headers)


def test_health_is_told_to_any_host(service: LiveService) -> None:
    for path in ("/livez", "/readyz"):
        response = service.get(path, headers={"Host": "10.0.0.7"})
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_answers_to_get_are_private_and_checked_anew(service: LiveService, task_path: str) -> None:
    for path in ("/", "/task-types/", task_path, "/openapi.json", "/nothing"):
        headers = service.get(path).headers
        assert headers["Cache-Control"] == "private, no-cache"
        negotiated = ", Accept" if path == "/" else ""
        assert headers["Vary"] == f"Authorization, Prefer{negotiated}"


def test_a_fit_request_id_is_kept_in_answer_problem_and_log(service: LiveService) -> None:
    response = service.get("/nothing", headers={"X-Request-ID": "order-7.retry_2"})

    assert assert_problem(response, 404, "not_found")["request_id"] == "order-7.retry_2"
    # The access log is written after the answer.
    wait_until(lambda: "[order-7.retry_2]" in service.log(), what="line in the log")


@pytest.mark.parametrize("unfit", ["", "a b", "x" * 129, "é".encode(), "a\tb", "<script>"])
def test_an_unfit_request_id_is_replaced(service: LiveService, unfit: Any) -> None:
    first = service.get("/livez", headers={"X-Request-ID": unfit}).headers["X-Request-ID"]
    second = service.get("/livez", headers={"X-Request-ID": unfit}).headers["X-Request-ID"]

    assert first != second
    assert first.isalnum()


def test_static_files_carry_a_request_id_too(service: LiveService) -> None:
    response = service.get("/static/tasks_api/swagger_ui.js")

    assert response.status_code == 200
    assert response.headers["X-Request-ID"]


def test_the_root_leads_everywhere(service: LiveService) -> None:
    admin = bearer(service.create_client("leads-everywhere", "--scope=read", "--scope=admin"))
    for name, url in service.get("/").json().items():
        assert service.get(url, headers=admin).status_code == 200, name


def test_every_problem_code_is_explained(service: LiveService) -> None:
    page = service.get("/problems/").text

    for code in ("malformed_json", "invalid_arguments", "not_found", "store_unavailable"):
        assert f'<section id="{code}">' in page
    assert "<code>GET /task-types/</code>" in page
    assert "`" not in page


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/tasks/"), ("POST", "/nothing"), ("POST", "/tasks/")]
)
def test_a_connection_goes_on_after_a_body_that_was_refused_unread(
    service: LiveService, method: str, path: str
) -> None:
    """Refused for the method, the URL, the missing key; head and body are sent one after the other."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=10)
    for _ in range(10):
        connection.putrequest(method, path)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(BODY)))
        connection.endheaders()
        connection.send(BODY)
        refused = connection.getresponse()
        assert refused.status in {401, 404, 405}
        assert refused.read()

        connection.request("GET", "/livez")
        alive = connection.getresponse()
        assert (alive.status, alive.read()) == (200, b'{"status":"ok"}')
    connection.close()


def test_requests_that_are_sent_without_waiting_are_all_answered(service: LiveService) -> None:
    """Pipelined (RFC 9112, 9.3.2): they reach the server in one piece."""
    head = "Host: localhost\r\nContent-Type: application/json"
    refused = (
        f"POST /tasks/ HTTP/1.1\r\n{head}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    )
    alive = f"GET /livez HTTP/1.1\r\n{head}\r\n\r\n".encode()
    last = f"GET /livez HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n".encode()

    answers = service.raw(refused + alive + refused + alive + last)

    assert re.findall(rb"HTTP/1\.1 (\d+) ", answers) == [b"401", b"200", b"401", b"200", b"200"]
