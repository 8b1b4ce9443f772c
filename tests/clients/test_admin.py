"""Django's admin: clients and keys are managed there, and a key is shown once."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from tasks_api.backends.database.admin import TaskAdmin, replace_page
from tasks_api.clients import keys
from tasks_api.models import Client as ClientRow
from tasks_api.models import ClientKey
from tests.live_service import bearer
from tests.rows import task_row

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
        is_enabled="on",
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


def checked_and_filled_in(page: str) -> tuple[list[str], str]:
    """Return the scopes that a form shows as checked, and its patterns."""
    boxes = re.findall(r'<input type="checkbox" name="scopes" value="(\w+)"[^>]*\bchecked', page)
    (patterns,) = re.findall(r'<textarea name="task_patterns"[^>]*>\s*(.*?)</textarea>', page, re.S)
    return boxes, patterns


def test_the_form_of_a_new_client_starts_with_what_the_command_grants(admin: Client) -> None:
    page = admin.get("/admin/tasks_api/client/add/").content.decode()

    assert checked_and_filled_in(page) == (["enqueue", "read", "cancel"], "*")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["billing can: enqueue tasks, read its own tasks. Task types: ", "has no valid key"]),
        ({"scopes": ["read"], "task_patterns": ""}, ["billing can: read its own tasks."]),
        ({"scopes": []}, ["billing can do nothing: it has no scope."]),
        ({"is_enabled": ""}, ["billing is disabled: its requests are refused."]),
        (
            {"task_patterns": ""},
            ["But its patterns match no task type, so it can enqueue nothing."],
        ),
        (
            {"task_patterns": "service.task.*"},
            ["service.task.* matches no exposed task type; close to it: service.tasks.*"],
        ),
    ],
)
def test_what_a_client_can_do_is_said_when_it_is_saved(
    admin: Client, fields: Any, told: list[str]
) -> None:
    given = {"name": "billing", "is_enabled": "on", "scopes": ["enqueue", "read"]}
    patterns_and_rate = {"task_patterns": "*", "rate": ""}
    saved = submit(
        admin, "/admin/tasks_api/client/add/", **{**given, **patterns_and_rate, **fields}
    )
    page = unescape(admin.get(saved.headers["Location"]).content.decode())

    assert all(words in page for words in told), page


def test_a_client_is_switched_off_and_on(admin: Client) -> None:
    client = ClientRow.objects.create(name="billing")
    key = keys.issue(client)
    path = f"/admin/tasks_api/client/{client.number}/change/"
    kept = {"name": "billing", "scopes": ["enqueue"], "task_patterns": "*", "rate": ""}
    for switch, status, shown in (({}, 401, "False"), ({"is_enabled": "on"}, 200, "True")):
        assert submit(admin, path, **kept, **switch).status_code == 302
        listed = admin.get("/admin/tasks_api/client/").content.decode()
        assert re.search(rf'class="field-is_enabled"><img [^>]*alt="{shown}"', listed)
        keys.forget_remembered_keys()
        assert Client().get("/client/", headers=bearer(key.text)).status_code == status


OF_NO_TASK = [
    {"queue_name": "ovens"},
    {"backend_name": "gone"},
    {"task_path": "nowhere.tasks.bake"},
    {"task_path": "service.tasks.bake"},
    {"task_path": "service.tasks.time"},
    {"task_path": "tests.worker.broken.bake"},
    {"task_path": "bake"},
    {"task_path": ""},
]


def test_the_page_of_tasks_shows_those_whose_task_is_gone(admin: Client) -> None:
    rows = [task_row(**columns) for columns in OF_NO_TASK]
    DBTaskResult.objects.bulk_create(rows)
    path = "/admin/django_tasks_database/dbtaskresult/"

    for query in ("", "?status=READY", "?queue_name=ovens", "?o=2"):
        assert admin.get(path + query).status_code == 200
    shown = admin.get(path).content.decode()
    for row in rows:
        assert row.task_path in shown
        page = admin.get(f"{path}{row.pk}/change/")
        assert page.status_code == 200
        assert row.task_path in page.content.decode()
        assert admin.get(f"{path}{row.pk}/history/").status_code == 200
    chosen = [str(row.pk) for row in rows]
    acted = submit(admin, path, action="delete_selected", _selected_action=chosen)
    assert acted.status_code in {200, 302}
    assert DBTaskResult.objects.count() == len(rows)


def test_a_page_of_tasks_that_a_project_has_made_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnPage(DBTaskResultAdmin):
        pass

    site = AdminSite()
    monkeypatch.setattr(django_admin, "site", site)
    site.register(DBTaskResult, OwnPage)
    replace_page()
    assert type(site.get_model_admin(DBTaskResult)) is OwnPage

    site.unregister(DBTaskResult)
    replace_page()
    assert not site.is_registered(DBTaskResult)

    site.register(DBTaskResult, DBTaskResultAdmin)
    replace_page()
    assert type(site.get_model_admin(DBTaskResult)) is TaskAdmin


def test_view_site_leads_people_to_the_documentation(admin: Client) -> None:
    assert '<a href="/docs/">View site</a>' in admin.get("/admin/").content.decode()


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
