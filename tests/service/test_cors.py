"""CORS: scripts of the named origins may use the API, and nothing else of the service."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls.resolvers import RoutePattern

from service.environment import read_environment
from service.pages import PREFIXES
from tasks_api.urls import urlpatterns
from tests.conftest import MigratedDatabase, running, throwaway_database
from tests.http.test_half_dead_database import LiveASGIService
from tests.live_service import NO_KEY, LiveService, bearer
from tests.service.test_misconfiguration import HUSH, manage

ORIGIN = "https://app.example.org"
ALLOWED = {
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "prefer",
    "traceparent",
    "x-request-id",
}
EXPOSED = {
    "deduplicated",
    "etag",
    "idempotent-replayed",
    "link",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-request-id",
}
CALL = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
LATER = {**CALL, "run_after": "2100-01-01T00:00:00Z"}
PATHS = [
    "/" + "/".join("x" if part.startswith("<") else part for part in str(one.pattern).split("/"))
    for one in urlpatterns
    if isinstance(one.pattern, RoutePattern)
]
"""Each path of the app, with something for a name or an id."""


@pytest.fixture(scope="module", params=[LiveService, LiveASGIService])
def cors(
    request: pytest.FixtureRequest,
    migrated_database: MigratedDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveService]:
    """A service, under each of the two workers of gunicorn, that knows origins."""
    directory = tmp_path_factory.mktemp("cors")
    env = {"CORS_ALLOWED_ORIGINS": f"http://localhost:3000, {ORIGIN}", "WEB_CONCURRENCY": "1"}
    with throwaway_database(directory, template=migrated_database.url) as url:
        service = request.param(url, directory=directory, env=env, key=migrated_database.key)
        with running(service):
            yield service


def preflight(service: LiveService, path: str, *, origin: str = ORIGIN) -> httpx.Response:
    """Ask as a browser does, which sends no key."""
    headers = {
        **NO_KEY,
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,prefer",
    }
    return service.client.options(path, headers=headers)


def listed(response: httpx.Response, name: str) -> set[str]:
    return {one.strip().lower() for one in response.headers.get(name, "").split(",")}


def of_cors(response: httpx.Response) -> set[str]:
    return {name for name in response.headers if name.startswith("access-control-")}


def assert_readable(response: httpx.Response, origin: str = ORIGIN) -> None:
    assert of_cors(response) >= {"access-control-allow-origin", "access-control-expose-headers"}
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert listed(response, "Access-Control-Expose-Headers") == EXPOSED
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "origin" in listed(response, "Vary")


def test_without_origins_there_is_no_cors(service: LiveService) -> None:
    asked = preflight(service, "/tasks/")
    assert (asked.status_code, asked.headers["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")
    for response in (asked, service.get("/tasks/", headers={"Origin": ORIGIN})):
        assert of_cors(response) == set()
        assert "origin" not in listed(response, "Vary")


def test_a_preflight_needs_no_key_for_all_paths_but_those_of_pages(cors: LiveService) -> None:
    pages = [path for path in PATHS if path.startswith(PREFIXES)]
    assert sorted(pages) == ["/docs", "/docs/", "/problems", "/problems/"]
    assert {"/", "/tasks", "/tasks/", "/tasks/x/events/", "/tasks/x/tokens/"} <= set(PATHS)
    # A path that does not exist, too: then a script can read the 404.
    for path in (*PATHS, "/nothing/", "/tasks/x/nothing", "/tasks/x/events/?token=tt_x"):
        response = preflight(cors, path)
        assert response.status_code in {200, 204}, path
        assert response.content == b""
        assert "X-Request-ID" in response.headers
        if path in pages:
            assert of_cors(response) == set(), path
            continue
        assert_readable(response)
        assert listed(response, "Access-Control-Allow-Headers") == ALLOWED
        methods = listed(response, "Access-Control-Allow-Methods")
        assert methods == {"delete", "get", "patch", "post"}
        assert int(response.headers["Access-Control-Max-Age"]) >= 600


def test_pages_are_not_for_scripts_of_other_origins(cors: LiveService) -> None:
    script = next(
        line.split('"')[1]
        for line in cors.get("/docs/").text.split("src=")
        if line.startswith('"/static/')
    )
    for path in ("/admin/", "/admin/login/", "/docs/", "/problems/", script):
        response = cors.get(path, headers={**NO_KEY, "Origin": ORIGIN})
        assert response.status_code in {200, 302}, path
        for answer in (response, preflight(cors, path)):
            assert of_cors(answer) == set(), path
            assert "origin" not in listed(answer, "Vary"), path


def test_every_answer_of_the_api_can_be_read(cors: LiveService) -> None:
    limited = bearer(cors.create_client("limited", "--rate=1/day"))
    assert cors.get("/client/", headers=limited).status_code == 200
    task = cors.post("/tasks/", LATER)
    url, tag = task.headers["Location"], task.json()["id"]
    tag = cors.get(url).headers["ETag"]
    requests: list[tuple[int, str, str, Mapping[str, str], Any]] = [
        (200, "GET", "/livez", {}, None),
        (200, "GET", "/client/", {}, None),
        (202, "POST", "/tasks/", {}, LATER),
        (200, "POST", "/tasks/", {"Prefer": "wait=30"}, CALL),
        (201, "POST", f"{url}tokens/", {}, {}),
        (200, "GET", url, {"Prefer": "wait=1"}, None),
        (304, "GET", url, {"If-None-Match": tag}, None),
        (304, "GET", url, {"If-None-Match": tag, "Prefer": "wait=1"}, None),
        (200, "HEAD", "/tasks/", {}, None),
        (204, "OPTIONS", "/tasks/", {}, None),
        (400, "POST", "/tasks/", {}, {}),
        (401, "GET", url, NO_KEY, None),
        (401, "GET", f"{url}events/", NO_KEY, None),
        (401, "GET", f"{url}events/?token=tt_x", NO_KEY, None),
        (404, "GET", f"/tasks/{uuid4()}/events/", {}, None),
        (404, "GET", "/nothing/", {}, None),
        (405, "DELETE", "/tasks/", {}, None),
        (429, "GET", "/client/", limited, None),
    ]
    for status, method, path, headers, json in requests:
        response = cors.client.request(
            method, path, headers={"Origin": ORIGIN, **headers}, json=json
        )
        assert response.status_code == status, (method, path, response.text)
        assert ("Preference-Applied" in response.headers) == ("Prefer" in headers)
        assert_readable(response)


def test_a_stream_can_be_read(cors: LiveService) -> None:
    url = cors.post("/tasks/", LATER).headers["Location"]
    token = cors.post(f"{url}tokens/", {}).json()["token"]
    with cors.client.stream(
        "GET", f"{url}events/?token={token}", headers={**NO_KEY, "Origin": ORIGIN}
    ) as response:
        assert response.status_code == 200
        assert_readable(response)
        lines = response.iter_lines()
        assert next(lines) == "event: task"
        assert cors.post(f"{url}cancel/").status_code == 200
        assert "event: end" in list(lines)


def test_each_of_the_origins_is_told_its_own_name(cors: LiveService) -> None:
    for origin in (ORIGIN, "http://localhost:3000"):
        assert_readable(preflight(cors, "/tasks/", origin=origin), origin)
        assert_readable(cors.get("/tasks/", headers={"Origin": origin}), origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org.evil.example",
        "https://evil.example/https://app.example.org",
        "https://[",
        "",
    ],
)
def test_no_other_origin_may_read_anything(cors: LiveService, origin: str) -> None:
    for response in (
        preflight(cors, "/tasks/", origin=origin),
        cors.get("/tasks/", headers={"Origin": origin}),
    ):
        assert of_cors(response) == set()
        # Nor may a cache give one origin what is meant for another.
        assert "origin" in listed(response, "Vary")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "value",
    [
        "*",
        "null",
        "app.example.org",
        "//app.example.org",
        "ftp://app.example.org",
        "https://",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://app.example.org?query",
        "https://user@app.example.org",
        "https://*.example.org",
        "https://App.example.org",
        "https://app.example.org:https",
        # What browsers leave out.
        "https://app.example.org:443",
        "http://app.example.org:80",
        "https://app.example.org,*",
    ],
)
def test_what_is_no_origin_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^CORS_ALLOWED_ORIGINS must be origins"):
        read_environment({"CORS_ALLOWED_ORIGINS": value})


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "value",
    [
        "https://app.example.org",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://app.example.org:80",
        "http://my_host:443",
    ],
)
def test_an_origin_is_taken(value: str) -> None:
    assert read_environment({"CORS_ALLOWED_ORIGINS": value}).cors_allowed_origins == (value,)


@pytest.mark.sqlite
def test_nothing_starts_with_a_wrong_origin() -> None:
    refused = manage("check", SECRET_KEY=HUSH, CORS_ALLOWED_ORIGINS="https://app.example.org/")

    assert refused.returncode == 1
    assert refused.stderr == (
        "CORS_ALLOWED_ORIGINS must be origins without paths and default ports, such as "
        "https://app.example.org or http://localhost:3000, not ['https://app.example.org/'].\n"
    )
