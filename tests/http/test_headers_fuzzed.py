"""No header that a client sends makes an error of ours, nor a page where programs expect JSON."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.test import RequestFactory
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks_api import models
from tasks_api.clients.keys import issue
from tasks_api.clients.last_use import last_uses
from tasks_api.http.protocol.strict_json import read_json
from tasks_api.http.views.documents import OpenAPIJSON
from tasks_api.http.views.health import Livez
from tasks_api.problems import BodyTooLarge, MalformedJSON, UnsupportedMediaType
from tests.live_service import DEADLINE

# It does not depend on the database.
pytestmark = pytest.mark.sqlite

HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
MEDIA_RANGES = st.lists(
    st.builds(
        "{}/{};{}={}".format,
        st.sampled_from(["*", "application", "text", ""]),
        st.sampled_from(["*", "json", "html", "", "js*n"]),
        st.sampled_from(["q", "charset", "", "Q"]),
        st.sampled_from(["0", "1", "0.5", "-1", "nan", "inf", "x", "", "1e999"]),
    ),
    max_size=4,
).map(",".join)

CODECS = ["utf-8", "UTF8", "bogus", "hex", "idna", "utf-16", "unicode_escape", "undefined", "", "%"]
TEXTS = (
    st.sampled_from(["x", "", "%00", "%FF", "%", "é", '"', "\\", "'", "''", "a b", "\t"]) | HEADER
)
PARAMETERS = st.one_of(
    st.builds("{}={}".format, st.sampled_from(["charset", "q", "b", ""]), TEXTS),
    st.builds('{}="{}"'.format, st.sampled_from(["charset", "q", "b"]), TEXTS),
    st.builds("charset={}".format, st.sampled_from(CODECS)),
    # RFC 2231: character sets, languages, continuations.
    st.builds(
        "{}{}={}'{}'{}".format,
        st.sampled_from(["charset", "b"]),
        st.sampled_from(["*", "*0*", "*1*", "*0", "*1", "*x*", "**", "*-1*", "*²*"]),
        st.sampled_from(CODECS),
        st.sampled_from(["", "en"]),
        TEXTS,
    ),
)
WITH_PARAMETERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["application/json", "a", "", "multipart/form-data", "*/*", "Bearer x"]),
    st.sampled_from([";", "; ", ","]),
    st.lists(PARAMETERS, max_size=4).map(";".join),
)
NAMES = [
    *("Accept", "Accept-Language", "Authorization", "Content-Encoding", "Content-Length"),
    *("Content-Type", "Cookie", "Date", "Expect", "Forwarded", "Host", "Idempotency-Key"),
    *("If-Match", "If-Modified-Since", "If-None-Match", "Origin", "Prefer", "Range", "Referer"),
    *("TE", "Traceparent", "Transfer-Encoding", "User-Agent", "X-CSRFToken", "X-Forwarded-Host"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-HTTP-Method-Override", "X-Request-ID"),
]
HEADERS = st.dictionaries(
    st.sampled_from(NAMES) | st.sampled_from(["Content-Type", "Accept"]),
    WITH_PARAMETERS | MEDIA_RANGES | HEADER,
    max_size=3,
)
PAGES = ("/docs/", "/problems/")
REQUESTS = [
    *(("GET", path) for path in ("/livez", "/", "/nothing", "/openapi.json", *PAGES)),
    *(("GET", path) for path in ("/tasks/?status=READY", "/tasks/x/", "/client/")),
    *(
        ("POST", path)
        for path in ("/tasks/", "/tasks/batch/", "/tasks/x/cancel/", "/tasks/x/retry/")
    ),
    ("OPTIONS", "/tasks/"),
]
BODY = b'{"task": "nothing"}'

type Answer = tuple[int, dict[str, str], bytes]


def wsgi(method: str, url: str, headers: dict[str, str]) -> Answer:
    from service.wsgi import application  # noqa: PLC0415 -- needs the settings

    path, _, query = url.partition("?")
    meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if (value := meta.pop(f"HTTP_{name}", None)) is not None:
            meta[name] = value
    request = RequestFactory().generic(method, path, BODY if method == "POST" else b"")
    environ = {**request.environ, "QUERY_STRING": query, **meta}
    answer: list[Any] = []
    body = b"".join(application(environ, lambda *started: answer.extend(started)))
    return int(answer[0].split()[0]), dict(answer[1]), body


def asgi(method: str, url: str, headers: dict[str, str]) -> Answer:
    from service.asgi import application  # noqa: PLC0415 -- needs the settings

    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1"),
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in {"Host": "localhost", **headers}.items()
        ],
    }

    @async_to_sync
    async def send() -> Answer:
        communicator = ApplicationCommunicator(application, scope)
        await communicator.send_input({"type": "http.request", "body": BODY})
        start = await communicator.receive_output(DEADLINE)
        body = b""
        while True:
            part = await communicator.receive_output(DEADLINE)
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        await communicator.wait()
        read = {name.decode().title(): value.decode() for name, value in start["headers"]}
        return start["status"], read, body

    return send()


@pytest.fixture
def authorization(transactional_db: None) -> Iterator[str]:
    """The credentials of a client that may do everything."""
    client = models.Client.objects.create(
        name="tests", scopes=["enqueue", "read", "cancel", "admin"]
    )
    yield f"Bearer {issue(client).text}"
    last_uses.wait(DEADLINE)


@pytest.mark.parametrize("send", [wsgi, asgi])
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=st.sampled_from(REQUESTS), headers=HEADERS, has_key=st.booleans())
@example(call=("GET", "/livez"), headers={"Content-Type": "a; b*=bogus''x"}, has_key=False)
@example(call=("POST", "/tasks/"), headers={"Content-Type": "a; charset*=utf-8''%00"}, has_key=True)
@example(
    call=("GET", "/tasks/?status=READY"), headers={"Content-Type": "a; charset=hex"}, has_key=True
)
@example(call=("GET", "/tasks/?status=\xff"), headers={}, has_key=True)
@example(call=("GET", "/livez"), headers={"Accept": "a; b*=bogus''x"}, has_key=False)
@example(call=("GET", "/"), headers={"Accept": "text/html"}, has_key=False)
def test_every_header_is_read_or_refused_with_a_problem(
    send: Any, authorization: str, call: tuple[str, str], headers: dict[str, str], has_key: bool
) -> None:
    method, url = call
    # Connections to the database belong to the thread, which is another one for each ASGI request.
    if has_key and send is wsgi:
        headers = {"Authorization": authorization, "Content-Type": "application/json", **headers}
    status, answered, body = send(method, url, headers)

    assert status < 500
    if status >= 400:
        assert answered["Content-Type"] == "application/problem+json"
        assert json.loads(body)["status"] == status
    elif status == 302:
        # A browser, which is led to a page.
        assert url == "/"
        assert answered["Location"].endswith("/docs/")
    elif url not in PAGES:
        assert "html" not in answered.get("Content-Type", "")


@pytest.mark.parametrize("send", [wsgi, asgi])
@pytest.mark.parametrize("path", ["/", "/livez", "/tasks/", "/docs/"])
def test_a_malformed_content_type_is_a_problem(send: Any, path: str) -> None:
    status, _, body = send("GET", path, {"Content-Type": "a; b*=bogus''x"})

    problem = json.loads(body)
    assert (status, problem["code"]) == (400, "invalid_request")
    assert [fault["header"] for fault in problem["errors"]] == ["Content-Type"]


@given(HEADER | MEDIA_RANGES)
def test_accept(accept: str) -> None:
    request = RequestFactory().get("/", headers={"Accept": accept})
    response = Livez.as_view()(request)

    assert response.status_code in {200, 406}


@given(HEADER)
def test_if_none_match_request_id_and_prefer(value: str) -> None:
    headers = {"If-None-Match": value, "X-Request-ID": value, "Prefer": value}
    response = OpenAPIJSON.as_view()(RequestFactory().get("/openapi.json", headers=headers))

    assert response.status_code == 200


@given(HEADER)
def test_content_type(content_type: str) -> None:
    request = RequestFactory().generic("POST", "/tasks/", b"{}", content_type=content_type)
    try:
        value = read_json(request)
    except UnsupportedMediaType:
        return
    assert value == {}
    assert content_type.strip().lower().startswith("application/json")


@given(HEADER)
def test_content_length(length: str) -> None:
    request = RequestFactory().post("/tasks/", b"{}", content_type="application/json")
    request.META["CONTENT_LENGTH"] = length
    try:
        value = read_json(request)
    except (MalformedJSON, BodyTooLarge):
        return
    assert value == {}


@pytest.mark.parametrize("send", [wsgi, asgi])
@pytest.mark.parametrize(
    ("charset", "status"), [("utf-8", 401), ("UTF8", 401), ("hex", 401), ("*=bogus''x", 400)]
)
def test_a_charset_decodes_no_query(send: Any, charset: str, status: int) -> None:
    content_type = f"application/json; charset={charset}".replace("=*", "*")
    answered, _, _ = send("POST", "/tasks/?a=%E9", {"Content-Type": content_type})

    assert answered == status
