"""A client that is disabled, and others that may not read any more, also while they wait or watch."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, override_settings

from tasks_api import models
from tasks_api.clients.caller import Caller
from tasks_api.clients.judging import no_longer_reading
from tests.http.test_authentication import CALL, SESSIONS, authenticating_with, csrf_token_of
from tests.http.test_hostile_bodies import assert_problem
from tests.http.test_task_tokens import (  # noqa: F401 -- a fixture
    THREADED,
    browser,
    enqueue,
    in_thread,
    token_for,
    until_watched,
    watch,
)
from tests.live_service import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)

type InThread = Callable[[Callable[[], Any]], Future[Any]]


def refuse(change: str) -> Any:
    """Make the only client one that may not read; return what has to be patched for that."""
    if change == "revoked":
        models.ClientKey.objects.revoke()
    elif change == "expired":
        models.ClientKey.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    elif change == "disabled":
        models.Client.objects.update(is_enabled=False)
    elif change == "without scope":
        models.Client.objects.update(scopes=["enqueue"])
    hours = 2 if change == "expired token" else 0
    return patch("time.time", return_value=time.time() + 3600 * hours)


CHANGES = ["revoked", "expired", "disabled", "without scope"]


@pytest.mark.parametrize(
    ("asking", "change"),
    [
        *(("key", change) for change in CHANGES),
        *(("token", change) for change in [*CHANGES, "expired token"]),
    ],
)
def test_a_stream_ends_without_its_end_when_its_client_may_not_read_any_more(
    client: Client,
    in_thread: InThread,  # noqa: F811
    asking: str,
    change: str,
) -> None:
    task = enqueue(client)
    watching = client if asking == "key" else browser(token_for(client, task))
    with override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": 1}):
        asked = in_thread(lambda: b"".join(watch(watching, task).streaming_content))
        until_watched(1)
        with refuse(change):
            content = asked.result(DEADLINE).decode()
            # Who comes back gets to know why.
            again = watch(watching, task)

    assert content.count("event: task") == 1
    assert "event: end" not in content
    assert again.status_code == (403 if change == "without scope" else 401)


def test_a_wait_ends_with_its_token(client: Client, in_thread: InThread) -> None:  # noqa: F811
    task = enqueue(client)
    headers = {"Prefer": "wait=30"}
    waiting = browser(token_for(client, task))
    with override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": 1}):
        asked = in_thread(lambda: waiting.get(task["url"], headers=headers, **THREADED))
        until_watched(1)
        with patch("time.time", return_value=time.time() + 7200):
            assert_problem(asked.result(DEADLINE), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("before", "after", "still_reads"),
    [
        (["read"], ["read"], True),
        (["read"], ["admin"], True),
        (["admin"], ["admin"], True),
        (["read", "cancel"], ["read"], True),
        (["read"], ["cancel"], False),
        (["admin"], ["enqueue"], False),
        # What it reads may be another client's.
        (["admin", "read"], ["read"], False),
    ],
)
def test_whoever_keeps_the_scope_by_which_it_reads_goes_on(
    tasks_client: models.Client, before: list[str], after: list[str], still_reads: bool
) -> None:
    tasks_client.scopes = before
    caller = Caller.of(tasks_client)
    models.Client.objects.update(scopes=after)

    assert no_longer_reading([caller]) == (set() if still_reads else {caller})


def test_a_disabled_client_of_a_projects_own_logins_is_refused(tasks_client: Any) -> None:
    ada = models.Client.objects.create(name="ada")
    visitor = Client(enforce_csrf_checks=True)
    visitor.force_login(User.objects.create_user("ada"))
    with authenticating_with(SESSIONS, client_of="tests.logins.client_of_user"):
        headers = {"X-CSRFToken": csrf_token_of(visitor)}
        assert visitor.get("/client/").status_code == 200
        models.Client.objects.filter(pk=ada.pk).update(is_enabled=False)

        assert_problem(visitor.get("/client/"), 403, "permission_denied")
        assert_problem(visitor.get("/openapi.json"), 403, "permission_denied")
        posted = visitor.post("/tasks/", CALL, content_type="application/json", headers=headers)
        assert_problem(posted, 403, "permission_denied")
        # Whom nobody disabled is let in nowhere else either.
        assert_problem(Client().get("/client/"), 401, "not_authenticated")
