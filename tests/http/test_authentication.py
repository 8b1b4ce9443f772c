"""Closed by default: keys, the project's own logins instead or beside, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.urls import get_resolver

from tasks_api import models
from tasks_api.clients import key_format
from tasks_api.clients.keys import issue
from tasks_api.urls import urlpatterns
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import bearer

CALL = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})
KEYS = "tasks_api.http.access.authentication.KeyAuthentication"
SESSIONS = "rest_framework.authentication.SessionAuthentication"
PUBLIC = ["/livez", "/readyz", "/docs/", "/problems/", "/openapi.yaml", "/openapi.json"]
CHALLENGE = 'Bearer realm="tasks"'

pytestmark = pytest.mark.django_db(transaction=True)


MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def authenticating_with(*classes: str, client_of: str = "") -> override_settings:
    """Set up a project that has logins; the service has none outside of its admin."""
    changed = {"AUTHENTICATION_CLASSES": list(classes), "CLIENT_OF": client_of}
    return override_settings(MIDDLEWARE=MIDDLEWARE, TASKS_API={**settings.TASKS_API, **changed})


@pytest.fixture
def sessions() -> Iterator[None]:
    with authenticating_with(SESSIONS, client_of="tests.logins.client_of_user"):
        yield


@pytest.fixture
def ada(tasks_client: models.Client) -> User:
    models.Client.objects.create(name="ada")
    return User.objects.create_user("ada", password="secret")


def operations() -> list[tuple[str, str]]:
    """Return a path and method of everything that is routed, without naming it twice here."""
    found = []
    for pattern in urlpatterns:
        route = "/" + str(pattern.pattern).replace("<str:name>", "x").replace("<str:task_id>", "x")
        view = pattern.callback
        methods = getattr(view, "actions", None) or [
            name for name in ("get", "post") if hasattr(view.cls, name)
        ]
        found += [(route, method) for method in methods if method != "head"]
    return found


def test_every_operation_but_health_and_documentation_needs_a_key(tasks_client: Any) -> None:
    closed, public = [], []
    for path, method in operations():
        response = Client().generic(method.upper(), path)
        (closed if response.status_code == 401 else public).append(path.rstrip("/"))
        if response.status_code == 401:
            problem = assert_problem(response, 401, "not_authenticated")
            assert response.headers["WWW-Authenticate"] == CHALLENGE
            assert "errors" not in problem

    assert {"/tasks", "/tasks/x", "/task-types", "/task-types/x", "/client", ""} <= set(closed)
    assert set(public) == {path.rstrip("/") for path in PUBLIC}


def test_options_and_unknown_urls_need_no_key(tasks_client: Any) -> None:
    assert Client().options("/tasks/").status_code == 204
    assert_problem(Client().get("/nothing"), 404, "not_found")


@pytest.mark.parametrize(
    "credentials",
    [
        "Bearer x",
        "bearer tk_",
        "Bearer tk_000000000000_" + "0" * 49,
        # The id is the same wherever pytest collects it.
        pytest.param("Bearer " + key_format.generate().text, id="a key that nobody was given"),
        "Bearer  x y",
        "Bearer \x7f\xff\xa0",
        "Bearer " + "x" * 10_000,
        "Bearer tk_" + "é" * 62,
    ],
)
def test_every_bad_key_gets_the_same_answer(client: Client, credentials: str) -> None:
    response = Client().get("/client/", headers={"Authorization": credentials})
    problem = assert_problem(response, 401, "not_authenticated")

    assert response.headers["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    assert problem["detail"] == "The request carries no valid key: `Authorization: Bearer tk_…`."


@pytest.mark.parametrize("credentials", ["", "Basic eDp5", "Bearer", "Bearer ", "Negotiate"])
def test_what_is_no_bearer_token_is_no_key(client: Client, credentials: str) -> None:
    response = Client().get("/client/", headers={"Authorization": credentials})

    assert_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == CHALLENGE


def test_revoked_and_expired_keys_get_that_answer_too(tasks_client: models.Client) -> None:
    key = issue(tasks_client)
    models.ClientKey.objects.all().revoke()
    response = Client().get("/client/", headers=bearer(key.text))

    assert_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token"'


def test_a_key_is_taken_however_bearer_is_written(client: Client) -> None:
    key = client.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    for credentials in (f"bearer {key}", f"BEARER   {key}", f"Bearer {key} "):
        response = Client().get("/client/", headers={"Authorization": credentials})
        assert response.status_code == 200


def test_health_is_told_without_looking_at_a_key(tasks_client: Any) -> None:
    for path in ("/livez", "/readyz"):
        assert Client().get(path, headers=bearer("tk_wrong")).status_code == 200


def test_a_wrong_key_is_no_way_to_the_document(tasks_client: Any) -> None:
    response = Client().get("/openapi.json", headers=bearer("tk_wrong"))

    assert_problem(response, 401, "not_authenticated")


def test_who_am_i(tasks_client: models.Client, client: Client) -> None:
    answer = client.get("/client/").json()

    assert answer == {
        "name": "tests",
        "scopes": ["cancel", "enqueue", "read"],
        "task_patterns": ["*"],
        "rate": None,
        "key_expires_at": None,
        "limits": {"max_body_bytes": 1048576, "max_depth": 32},
    }


def test_a_session_is_a_client_and_every_post_needs_its_csrf_token(
    sessions: None, ada: User
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)

    assert browser.get("/client/").json()["name"] == "ada"
    for body in (CALL, ""):
        refused = browser.post("/tasks/", body, content_type="application/json")
        assert_problem(refused, 403, "permission_denied")
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        refused = browser.generic("POST", "/tasks/", CALL, content_type=content_type)
        assert_problem(refused, 403, "permission_denied")

    token = {"X-CSRFToken": csrf_token_of(browser)}
    task = browser.post("/tasks/", CALL, content_type="application/json", headers=token)
    assert task.status_code == 202
    assert browser.get(task.json()["url"]).status_code == 200


def csrf_token_of(browser: Client) -> str:
    browser.get("/admin/login/")
    return str(browser.cookies["csrftoken"].value)


def test_nobody_is_let_in_without_a_session(sessions: None, client: Client) -> None:
    response = Client().get("/client/")
    assert_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == 'Session realm="tasks"'
    # Keys do not count where the settings do not name them.
    assert client.get("/client/").status_code == 401


def test_a_user_without_a_client_is_let_in_nowhere(sessions: None, tasks_client: Any) -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("nobody"))

    assert browser.get("/client/").status_code == 401


def test_sessions_stand_beside_keys(ada: User, client: Client) -> None:
    with authenticating_with(KEYS, SESSIONS, client_of="tests.logins.client_of_user"):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(ada)

        assert browser.get("/client/").json()["name"] == "ada"
        assert browser.post("/tasks/", CALL, content_type="application/json").status_code == 403
        assert client.get("/client/").json()["name"] == "tests"
        # A key needs no CSRF token: no browser sends it by itself.
        assert client.post("/tasks/", CALL, content_type="application/json").status_code == 202
        assert Client().get("/client/").headers["WWW-Authenticate"] == CHALLENGE


def identifiers() -> list[str | None]:
    return [message.id for message in run_checks()]


def test_an_app_without_authentication_is_reported_and_stays_closed(client: Client) -> None:
    with authenticating_with():
        assert identifiers() == ["tasks_api.E005"]
        assert client.get("/client/").status_code == 401


def test_a_class_whose_callers_map_to_no_client_is_reported() -> None:
    with authenticating_with(SESSIONS):
        assert identifiers() == ["tasks_api.E006"]
    with authenticating_with(SESSIONS, client_of="tests.logins.client_of_user"):
        assert identifiers() == []


def test_a_class_that_is_not_there_is_reported() -> None:
    with authenticating_with("nowhere.Authentication"):
        assert identifiers() == ["tasks_api.E004"]


@pytest.mark.parametrize("path", ["nowhere.client_of", "tests.logins.nobody", "client_of"])
def test_a_client_of_that_is_not_there_is_reported(path: str) -> None:
    with authenticating_with(KEYS, SESSIONS, client_of=path):
        assert identifiers() == ["tasks_api.E009"]
    with authenticating_with(KEYS, SESSIONS, client_of="tests.logins.REFUSALS"):
        assert identifiers() == ["tasks_api.E009"]


def test_the_root_urlconf_serves_the_admin_and_the_app_alone() -> None:
    assert len(get_resolver().url_patterns) == 2


@pytest.mark.parametrize(
    ("refusal", "status", "code", "retry_after"),
    [
        ("denied by Django", 403, "permission_denied", None),
        ("denied by DRF", 403, "permission_denied", None),
        ("not known", 401, "not_authenticated", None),
        ("not there", 404, "not_found", None),
        ("not there for DRF", 404, "not_found", None),
        ("too many", 429, "throttled", "8"),
        ("too many, for how long nobody knows", 429, "throttled", "1"),
        ("malformed", 400, "invalid_request", None),
        ("suspicious", 400, "invalid_request", None),
    ],
)
def test_a_projects_hook_may_refuse_in_the_ways_of_django_and_drf(
    tasks_client: Any, refusal: str, status: int, code: str, retry_after: str | None
) -> None:
    with authenticating_with(SESSIONS, client_of="tests.logins.refuse"):
        response = Client().get("/client/", headers={"X-Refusal": refusal})

    assert_problem(response, status, code)
    assert response.headers.get("Retry-After") == retry_after


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (BROWSER, 302),
        ("text/html", 302),
        ("TEXT/HTML;charset=utf-8 , */*;q=0.1", 302),
        ("application/json;q=0.5, text/html", 302),
        ("text/html, application/json", 401),
        ("text/html;q=0.5, application/json", 401),
        ("text/html;q=0, */*", 401),
        ("text/*, */*", 401),
        ("*/*", 401),
        ("application/json", 401),
    ],
)
def test_a_browser_without_a_key_is_led_from_the_root_to_the_documentation(
    accept: str, status: int
) -> None:
    response = Client().get("/", headers={"Accept": accept})

    assert response.status_code == status
    assert "Accept" in response.headers["Vary"]
    if status == 302:
        assert response.headers["Location"] == "http://testserver/docs/"
        assert Client().get("/docs/", headers={"Accept": BROWSER}).status_code == 200


def test_a_program_gets_the_answer_of_the_root_whatever_it_accepts_besides(client: Client) -> None:
    headers = {"Accept": BROWSER}

    assert client.get("/", headers=headers).json()["tasks"] == "http://testserver/tasks/"
    wrong = Client().get("/", headers={**headers, "Authorization": "Bearer tk_wrong"})
    assert wrong.status_code == 401
    assert wrong.headers["Content-Type"] == "application/problem+json"
    for path in ("/tasks/", "/client/", "/nothing"):
        assert Client().get(path, headers=headers).status_code in {401, 404}
    assert Client().post("/", headers=headers).status_code == 405


def test_a_browser_with_a_session_gets_the_answer_of_the_root(ada: User) -> None:
    with authenticating_with(KEYS, SESSIONS, client_of="tests.logins.client_of_user"):
        browser = Client()
        browser.force_login(ada)

        assert browser.get("/", headers={"Accept": BROWSER}).status_code == 200
