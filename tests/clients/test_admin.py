"""Django's admin: clients and keys are managed there, and a key is shown once."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from tasks_api.clients import keys
from tasks_api.models import Client as ClientRow
from tasks_api.models import ClientKey

KEY = re.compile(r"tk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin() -> Client:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("boss"))
    return browser


def submit(admin: Client, path: str, **fields: Any) -> Any:
    """Fill in a form as a browser does, with the token that the page holds."""
    page = admin.get(path)
    assert page.status_code == 200, page.headers
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())[0]
    return admin.post(path, {**fields, "csrfmiddlewaretoken": token})


def test_the_admin_asks_who_it_is() -> None:
    response = Client().get("/admin/")

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")


def test_pages_are_confined(admin: Client) -> None:
    for path in ("/admin/", "/admin/login/", "/admin/tasks_api/client/", "/admin/nothing/"):
        policy = admin.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy


def test_the_admin_changes_nothing_about_the_api(admin: Client) -> None:
    response = admin.get("/nothing")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Content-Security-Policy" not in response.headers
    assert not response.cookies
    # A session is no key.
    assert admin.get("/client/").status_code == 401
    assert admin.get("/client/").headers["Vary"] == "Authorization, Prefer"


def test_a_client_is_created_and_changed(admin: Client) -> None:
    created = submit(
        admin,
        "/admin/tasks_api/client/add/",
        name="billing",
        scopes=["enqueue", "read"],
        task_patterns="shop.tasks.*\r\n\r\n bakery.tasks.bake \r\n",
        rate="100/min",
    )
    assert created.status_code == 302
    client = ClientRow.objects.get()
    assert client.scopes == ["enqueue", "read"]
    assert client.task_patterns == ["shop.tasks.*", "bakery.tasks.bake"]

    path = f"/admin/tasks_api/client/{client.number}/change/"
    assert "shop.tasks.*\nbakery.tasks.bake" in admin.get(path).content.decode()
    changed = submit(admin, path, name="billing", scopes=[], task_patterns="", rate="")
    assert changed.status_code == 302
    client.refresh_from_db()
    assert (client.scopes, client.task_patterns, client.rate) == ([], [], "")
    assert "billing" in admin.get("/admin/tasks_api/client/?q=bill").content.decode()


@pytest.mark.parametrize(
    "wrong", [{"name": "project"}, {"name": "a b"}, {"rate": "fast"}, {"scopes": ["everything"]}]
)
def test_a_client_that_makes_no_sense_is_not_created(admin: Client, wrong: Any) -> None:
    fields = {"name": "billing", "scopes": ["read"], "task_patterns": "*", "rate": "", **wrong}
    response = submit(admin, "/admin/tasks_api/client/add/", **fields)

    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not ClientRow.objects.exists()


def test_a_key_is_shown_once_and_kept_nowhere(admin: Client) -> None:
    client = ClientRow.objects.create(name="billing")
    shown = submit(
        admin, "/admin/tasks_api/clientkey/add/", client=client.pk, expires_at_0="", expires_at_1=""
    )

    (key,) = KEY.findall(shown.content.decode())
    assert "no-store" in shown.headers["Cache-Control"]
    caller = keys.caller_with(key)
    assert caller is not None
    assert caller.name == "billing"
    row = ClientKey.objects.get()
    secret = key.split("_")[2]
    for path in ("", f"{row.pk}/change/", f"{row.pk}/history/"):
        page = admin.get(f"/admin/tasks_api/clientkey/{path}")
        assert page.status_code == 200
        assert row.pk in page.content.decode()
        assert secret not in page.content.decode()
        assert row.digest not in page.content.decode()
    assert secret not in str(admin.cookies)
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert not any(secret in str(vars(entry)) for entry in LogEntry.objects.all())


def test_keys_are_revoked_and_never_deleted(admin: Client) -> None:
    client = ClientRow.objects.create(name="billing")
    key = keys.issue(client)
    response = submit(
        admin, "/admin/tasks_api/clientkey/", action="revoke", _selected_action=[key.key_id]
    )

    assert response.status_code == 302
    assert ClientKey.objects.get().revoked_at is not None
    for path in (f"clientkey/{key.key_id}", f"client/{client.pk}"):
        assert admin.get(f"/admin/tasks_api/{path}/delete/").status_code == 403


def test_nothing_of_a_key_can_be_changed(admin: Client) -> None:
    client, other = (ClientRow.objects.create(name=name) for name in ("billing", "other"))
    key = keys.issue(client)
    before = ClientKey.objects.values().get()
    path = f"/admin/tasks_api/clientkey/{key.key_id}/change/"
    submit(admin, path, client=other.pk, digest="0" * 64, expires_at="2000-01-01")

    assert ClientKey.objects.values().get() == before
