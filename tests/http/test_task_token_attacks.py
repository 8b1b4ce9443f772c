"""Attacks on task tokens: changed, ended, forged and misplaced ones, and where they could be found."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from django.core.signals import got_request_exception
from django.core.signing import Signer
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from django.views.debug import ExceptionReporter
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.request import Request

from tasks_api import models
from tasks_api.clients.caller import Caller
from tasks_api.clients.keys import forget_remembered_keys, issue
from tasks_api.clients.last_use import last_uses
from tasks_api.http.access import task_tokens
from tasks_api.http.access.authentication import KeyAuthentication
from tasks_api.problems import NotAuthenticated
from tests.conftest import MigratedDatabase, running, throwaway_database
from tests.http.test_hostile_bodies import assert_problem
from tests.http.test_task_tokens import browser, enqueue, finish, token_for, watch
from tests.live_service import DEADLINE, NO_KEY, LiveService, bearer, wait_until

in_process = pytest.mark.django_db(transaction=True)

KEY_ID = "0" * 12
CALLER = Caller(number=1, name="a", scopes=frozenset(), task_patterns=(), rate=None, key_id=KEY_ID)
LATER = 2.0**40
"""When the tokens of these tests end."""


def issued() -> str:
    return task_tokens.issue("0198c0de-0000-8000-8000-00000000abcd", KEY_ID, expires_at=LATER)


@contextmanager
def any_key() -> Iterator[None]:
    """Let every key be good, so that only the token itself can be at fault."""
    with patch("tasks_api.clients.keys.caller_with_id", return_value=CALLER):
        yield


@pytest.fixture
def task(client: Client) -> dict[str, Any]:
    task = enqueue(client)
    finish(task)
    return task


@pytest.fixture
def token(client: Client, task: dict[str, Any]) -> str:
    return token_for(client, task)


def assert_refused(token: str, task: dict[str, Any]) -> None:
    for response in (
        browser(token).get(task["url"]),
        browser(token).get(f"{task['url']}events/"),
        Client().get(f"{task['url']}events/", {"token": token}),
    ):
        assert_problem(response, 401, "not_authenticated")
        challenge = 'Bearer realm="tasks", error="invalid_token"'
        assert response.headers["WWW-Authenticate"] == challenge


# Changed and forged.


@given(st.data())
def test_a_token_with_any_changed_character_is_nobodys(data: st.DataObject) -> None:
    token = issued()
    position = data.draw(st.integers(len(task_tokens.PREFIX), len(token) - 1))
    changed = data.draw(st.characters(max_codepoint=0xFF) | st.sampled_from(token))
    forged = token[:position] + changed + token[position + 1 :]
    with any_key():
        assert (task_tokens.caller_with(forged) is None) == (forged != token)


@given(st.data())
def test_a_token_that_is_cut_or_longer_is_nobodys(data: st.DataObject) -> None:
    token = issued()
    cut = token[: data.draw(st.integers(0, len(token) - 1))]
    longer = token + data.draw(st.text(min_size=1))
    with any_key():
        assert task_tokens.caller_with(cut) is None
        assert task_tokens.caller_with(longer) is None


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    with any_key():
        assert task_tokens.caller_with(text) is None
        assert task_tokens.caller_with(task_tokens.PREFIX + text) is None


def test_what_was_signed_for_something_else_is_no_token() -> None:
    content = ["0198c0de-0000-8000-8000-00000000abcd", KEY_ID, LATER]
    salt = "tasks_api.http.access.task_tokens"
    with any_key():
        for signer, is_ours in (
            (Signer(salt=salt, sep="."), True),
            (Signer(sep="."), False),
            (Signer(salt="tasks_api.cursor", sep="."), False),
            (Signer(salt=salt, sep=".", key="another secret"), False),
            (Signer(salt=salt, sep=":"), False),
        ):
            found = task_tokens.caller_with(task_tokens.PREFIX + signer.sign_object(content))
            assert (found is not None) == is_ours


@in_process
def test_a_token_of_another_kind_is_none(client: Client, task: dict[str, Any]) -> None:
    for _ in range(2):
        enqueue(client)
    following = client.get("/tasks/?page_size=1").json()["next"]
    cursor = following.partition("cursor=")[2]
    (last,) = [one for one in client.get("/tasks/").json()["results"] if one["id"] == task["id"]]

    assert_refused(f"tt_{cursor}", last)
    assert_refused("tt_", last)
    assert_refused("tt_" + "x" * 5000, last)


# Ended.


@in_process
@pytest.mark.parametrize(
    ("change", "status"),
    [("revoked", 401), ("expired", 401), ("disabled", 401), ("without scope", 403)],
)
def test_a_token_ends_with_its_key(
    tasks_client: models.Client, client: Client, task: dict[str, Any], change: str, status: int
) -> None:
    other = Client(headers=bearer(issue(tasks_client).text))
    token, others = token_for(client, task), token_for(other, task)
    own_key = models.ClientKey.objects.filter(pk=client.defaults["HTTP_AUTHORIZATION"][10:22])
    if change == "revoked":
        assert own_key.revoke() == 1
    elif change == "expired":
        assert own_key.update(expires_at=timezone.now() - timedelta(seconds=1)) == 1
    elif change == "disabled":
        models.Client.objects.update(is_enabled=False)
    else:
        models.Client.objects.update(scopes=["enqueue"])
    # A process believes what it remembers for a while, and the key itself as long.
    assert browser(token).get(task["url"]).status_code == client.get(task["url"]).status_code == 200
    forget_remembered_keys()

    assert client.get(task["url"]).status_code == status
    if status == 401:
        assert_refused(token, task)
    else:
        assert_problem(browser(token).get(task["url"]), 403, "insufficient_scope")
    # Another key of the client has tokens of its own.
    works = change in {"revoked", "expired"}
    assert browser(others).get(task["url"]).status_code == (200 if works else status)


@in_process
def test_a_rotated_secret_key_ends_tokens_unless_the_old_one_is_a_fallback(
    task: dict[str, Any], token: str
) -> None:
    from django.conf import settings  # noqa: PLC0415 -- the one before it is overridden

    old = settings.SECRET_KEY
    with override_settings(SECRET_KEY="rotated", SECRET_KEY_FALLBACKS=[old]):
        assert browser(token).get(task["url"]).status_code == 200
    with override_settings(SECRET_KEY="rotated", SECRET_KEY_FALLBACKS=[]):
        assert_refused(token, task)


@in_process
def test_the_use_of_a_token_is_one_of_its_key(task: dict[str, Any], token: str) -> None:
    last_uses.wait(DEADLINE)
    models.ClientKey.objects.update(last_used_at=None)
    forget_remembered_keys()
    assert browser(token).get(task["url"]).status_code == 200
    last_uses.wait(DEADLINE)

    # Else a key would look unused that a busy token keeps remembered.
    assert models.ClientKey.objects.get().last_used_at is not None


# In the wrong place.


@in_process
def test_a_projects_own_views_do_not_take_a_token_for_a_key(token: str, client: Client) -> None:
    def authenticate(credentials: str) -> Any:
        request = RequestFactory().get("/stock/", headers={"Authorization": credentials})
        return KeyAuthentication().authenticate(Request(request))

    assert authenticate(client.defaults["HTTP_AUTHORIZATION"]) is not None
    with pytest.raises(NotAuthenticated):
        authenticate(f"Bearer {token}")


@in_process
def test_only_one_token_is_taken_from_a_query_and_no_key(
    client: Client, task: dict[str, Any], token: str
) -> None:
    events = f"{task['url']}events/"
    key = client.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    for asking, query, code in (
        (Client(), f"token={key}", "token"),
        (Client(), "token=", "token"),
        (Client(), f"token=Bearer+{token}", "token"),
        (Client(), f"token={token}&token={token}", "repeated_parameter"),
        (Client(), f"token={token}&other=1", "unknown_parameter"),
        (client, f"token={token}", "token"),
        (browser(token), f"token={token}", "token"),
        (client, "token=", "token"),
    ):
        problem = assert_problem(asking.get(f"{events}?{query}"), 400, "invalid_request")
        assert [one["code"] for one in problem["errors"]] == [code]
        assert token not in str(problem)
        assert key not in str(problem)

    assert watch(Client(), task, token=token).status_code == 200


@in_process
def test_no_other_operation_takes_it_from_a_query(
    client: Client, task: dict[str, Any], token: str
) -> None:
    for path in (task["url"], "/tasks/", "/client/", "/"):
        assert Client().get(path, {"token": token}).status_code == 401
        problem = assert_problem(client.get(path, {"token": token}), 400, "invalid_request")
        assert [one["code"] for one in problem["errors"]] == ["unknown_parameter"]


# Where it could be found.


@in_process
@pytest.mark.parametrize("place", ["header", "query"])
def test_a_report_of_an_error_does_not_have_it(
    task: dict[str, Any], token: str, place: str
) -> None:
    asking = browser(token) if place == "header" else Client()
    asking.raise_request_exception = False
    query = {"token": token} if place == "query" else {}
    reports: list[str] = []

    def report(request: Any, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    got_request_exception.connect(report)
    try:
        with patch("tasks_api.http.views.events.find", side_effect=RuntimeError("broken")):
            # As gunicorn tells the application of it.
            told = {"RAW_URI": f"/tasks/{task['id']}/events/?token={query.get('token')}"}
            response = asking.get(f"{task['url']}events/", query, **told)
            assert response.status_code == 500
    finally:
        got_request_exception.disconnect(report)

    assert len(reports) == 2
    for text in reports:
        assert "broken" in text
        assert token not in text
        assert token.partition(".")[2] not in text


class UnderASGI(LiveService):
    """The service as one process that waits without threads."""

    wsgi: ClassVar = "service.asgi"
    gunicorn_arguments = (*LiveService.gunicorn_arguments, "--worker-class=asgi")


def assert_not_logged(service: LiveService, task: str, *, streamed: int = 200) -> None:
    """Use a token and a key in every place, and look for them in the log."""
    path = service.post(f"{service.prefix}/tasks/", {"task": task, "args": [1, 2]}).json()["url"]
    token = service.post(f"{path}tokens/").json()["token"]
    assert service.key is not None
    events, signature = f"{path}events/", token.partition(".")[2]
    with service.client.stream("GET", f"{events}?token={token}", headers=NO_KEY) as stream:
        assert stream.status_code == streamed
    asked = [
        (path, bearer(token), 200),
        (f"{service.prefix}/tasks/", bearer(token), 401),
        (f"{events}?token={token}x", NO_KEY, 401),
        (f"{events}?token={token}", bearer(token), 400),
        (f"{events}?token={token}&x=1", NO_KEY, 400),
        (f"{events}?token={service.key}", NO_KEY, 400),
    ]
    for url, headers, status in asked:
        assert service.get(url, headers={**headers, "X-Request-ID": "last"}).status_code == status
    wait_until(
        lambda: service.log().count(events.removeprefix(service.url)) > 4, what="lines in the log"
    )

    for secret in (token, signature, service.key, service.key[16:]):
        assert secret not in service.log()


@pytest.mark.parametrize("kind", [LiveService, UnderASGI])
def test_no_log_of_the_service_has_it(
    kind: type[LiveService],
    migrated_database: MigratedDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("service")
    with (
        throwaway_database(directory, template=migrated_database.url) as url,
        running(kind(url, directory=directory, key=migrated_database.key), worker=False) as service,
    ):
        assert_not_logged(service, "service.tasks.add")
