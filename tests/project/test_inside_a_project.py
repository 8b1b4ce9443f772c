"""The app inside a Django project: beside its pages, its transactions, its user and its settings."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.http.test_hostile_bodies import assert_problem
from tests.live_project import LiveProject
from tests.live_service import bearer
from tests.project.conftest import StartProject

ADD = {"task": "tests.project.shop.tasks.add", "args": [1, 2]}


@pytest.fixture(params=["on", "off"], ids=["atomic requests", "no atomic requests"])
def shop(start_project: StartProject, request: pytest.FixtureRequest) -> LiveProject:
    """The project with ATOMIC_REQUESTS and without."""
    return start_project({"ATOMIC_REQUESTS": request.param})


def submit(project: LiveProject, path: str, **fields: str) -> httpx.Response:
    """Submit a form as a browser does, with the token against forged requests."""
    form = project.get("/register/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    assert token
    return project.client.post(path, data={"csrfmiddlewaretoken": token[1], **fields})


def run_all(project: LiveProject) -> None:
    project.manage("db_worker", "--batch", "--queue-name=*", "--no-startup-delay")


def tasks(project: LiveProject, name: str) -> list[dict[str, Any]]:
    """List what the project's own code has enqueued."""
    url = f"/api/tasks/?client=project&task=tests.project.shop.tasks.{name}&page_size=200"
    results: list[dict[str, Any]] = project.get(url).json()["results"]
    return results


# Transactions.


def test_a_view_enqueues_and_its_task_is_read_over_http(shop: LiveProject) -> None:
    answer = submit(shop, "/register/", username="ada", email="ada@example.org")
    assert answer.status_code == 200, answer.text
    url = f"/api/tasks/{answer.json()['task']}/"
    ready = shop.get(url).json()
    assert (ready["status"], ready["args"]) == ("READY", [answer.json()["customer"]])
    assert ready["url"] == f"{shop.url}{url}"

    run_all(shop)

    task = shop.get(url).json()
    assert (task["status"], task["return_value"]) == ("SUCCESSFUL", "ada")
    assert task in tasks(shop, "send_welcome_email")


def test_what_is_enqueued_on_commit_is_there_with_its_order(shop: LiveProject) -> None:
    before = len(tasks(shop, "process_order"))
    order = submit(shop, "/checkout/", item="bread", card="accepted").json()["order"]
    after = tasks(shop, "process_order")

    assert len(after) == before + 1
    assert after[0]["args"] == [order]
    run_all(shop)
    assert shop.get(after[0]["url"]).json()["return_value"] == f"order {order} processed"


def test_a_transaction_that_is_rolled_back_enqueues_nothing(shop: LiveProject) -> None:
    before = len(tasks(shop, "process_order"))

    assert submit(shop, "/checkout/", item="bread", card="declined").status_code == 500
    assert len(tasks(shop, "process_order")) == before


def test_a_request_that_is_rolled_back_enqueues_nothing(start_project: StartProject) -> None:
    project = start_project({"ATOMIC_REQUESTS": "on"})
    before = len(tasks(project, "send_welcome_email"))
    answer = submit(project, "/register/", username="nobody", email="nobody@example.org")

    assert answer.status_code == 500
    assert len(tasks(project, "send_welcome_email")) == before


def test_a_task_is_stored_when_its_202_goes_out(shop: LiveProject) -> None:
    response = shop.post("/api/tasks/", ADD)

    assert response.status_code == 202
    assert response.headers["Location"] == f"{shop.url}/api/tasks/{response.json()['id']}/"
    assert shop.get(response.headers["Location"]).json() == response.json()


# Beside the project's own pages.


def test_a_page_that_is_not_there_is_the_projects_own_404(project: LiveProject) -> None:
    for path in ("/nothing/", "/tasks/", "/apinothing/", "/register/nothing/"):
        page = project.get(path)
        assert page.status_code == 404
        assert "Diese Seite gibt es im Laden nicht." in page.text
        assert page.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/nothing/", "/api/tasks/x/y/", "/api/admin/"]
)
def test_what_is_not_there_under_the_prefix_is_a_problem(project: LiveProject, path: str) -> None:
    problem = assert_problem(project.get(path), 404, "not_found", prefix="/api")

    # Whatever language the project speaks.
    assert problem["detail"] == "There is nothing at this URL."
    assert project.get(problem["type"].partition("#")[0]).status_code == 200


def test_a_path_without_its_slash_is_served_and_not_redirected(project: LiveProject) -> None:
    assert project.post("/api/tasks", ADD).status_code == 202
    assert project.get("/api/tasks").status_code == 200
    # The project's own setting APPEND_SLASH.
    assert project.get("/register").status_code == 301
    assert project.get("/api").headers["Location"] == "/api/"


def test_every_url_of_an_answer_has_the_prefix(project: LiveProject) -> None:
    root = project.get("/api/").json()
    for url in root.values():
        assert url.startswith(f"{project.url}/api/")
        assert project.get(url).status_code == 200
    project.post("/api/tasks/", ADD)
    project.post("/api/tasks/", ADD)
    page = project.get("/api/tasks/?page_size=1").json()
    assert page["next"].startswith(f"{project.url}/api/tasks/?page_size=1&cursor=")
    assert project.get(page["next"]).json()["previous"].startswith(f"{project.url}/api/tasks/?")


def test_problems_are_in_english_whoever_asks(project: LiveProject) -> None:
    german = {"Accept-Language": "de"}
    problem = assert_problem(
        project.post("/api/tasks/", {"task": 7}, headers=german),
        400,
        "invalid_request",
        prefix="/api",
    )
    assert problem["title"] == "The request is not valid"
    assert problem["errors"][0]["detail"] == "Should be a string."


def test_a_content_type_that_django_cannot_parse_is_a_problem(project: LiveProject) -> None:
    malformed = {"Content-Type": "a; b*=bogus''x"}
    for path in ("/api/", "/api/livez", "/api/tasks/"):
        response = project.get(path, headers=malformed)
        assert_problem(response, 400, "invalid_request", prefix="/api")
    assert project.post("/api/tasks/", content=b"{}", headers=malformed).status_code == 400


# Beside the project's own settings of DRF.


def test_the_projects_defaults_of_drf_do_not_change_our_answers(project: LiveProject) -> None:
    for _ in range(3):
        response = project.post("/api/tasks/", ADD)
        assert (response.status_code, response.headers["Content-Type"]) == (202, "application/json")
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/api/tasks/", "/api/task-types/", response.headers["Location"]):
        answer = project.get(path, headers=browser)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert_problem(project.get("/api/tasks/?status=x"), 400, "invalid_request", prefix="/api")
    assert project.get("/api/tasks/?status=READY").status_code == 200
    assert_problem(project.post("/api/tasks/", {}), 400, "invalid_request", prefix="/api")
    assert response.json()["enqueued_at"].endswith("Z")


def test_a_session_of_the_projects_needs_no_csrf_token_here(project: LiveProject) -> None:
    project.manage(
        "shell",
        "--command=from tests.project.shop.models import Customer; "
        "Customer.objects.create_superuser('root', 'root@example.org', 'secret')",
    )
    assert project.key is not None
    with httpx.Client(base_url=project.url, trust_env=False) as browser:
        page = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token
        fields = {"csrfmiddlewaretoken": token[1], "username": "root", "password": "secret"}
        assert browser.post("/admin/login/?next=/admin/", data=fields).status_code == 302
        assert browser.get("/admin/").status_code == 200

        answer = browser.post("/api/tasks/", json=ADD, headers=bearer(project.key))
        assert answer.status_code == 202
        # A session alone is no key. Its body may still be on its way when the answer is sent, and the
        # project's stock gunicorn would wait for what it has then read ahead of the next request.
        close = {"Connection": "close"}
        assert browser.post("/api/tasks/", json=ADD, headers=close).status_code == 401
        # And what is the project's own stays guarded.
        assert browser.post("/checkout/", data={"item": "x"}).status_code == 403


def test_our_settings_do_not_change_the_projects_own_views(project: LiveProject) -> None:
    answer = httpx.get(f"{project.url}/stock/", trust_env=False)

    assert (answer.status_code, answer.json()) == (418, {"laden": "NotAuthenticated"})


def test_the_projects_own_openapi_document_holds_the_projects_views_alone(
    project: LiveProject,
) -> None:
    theirs = project.get("/schema/", headers={"Accept": "*/*"}).json()
    ours = project.get("/api/openapi.json").json()

    assert set(theirs["paths"]) == {"/stock/", "/schema/"}
    assert "#/components/schemas/Task" not in json.dumps(theirs)
    assert "/api/tasks/" in ours["paths"]
    assert all(path.startswith("/api/") for path in ours["paths"])


# Without time zones.


def test_a_project_without_time_zones_is_told_and_asked_in_utc(start_project: StartProject) -> None:
    project = start_project({"USE_TZ": "off"})
    deferred = {**ADD, "run_after": "2100-06-01T12:00:00Z"}
    response = project.post("/api/tasks/", deferred)
    assert response.status_code == 202, response.text
    task = project.get(response.headers["Location"])
    assert task.json() == response.json()
    assert task.json()["run_after"] == "2100-06-01T12:00:00.000000Z"
    assert task.headers["Retry-After"] == "60"

    enqueued_at = task.json()["enqueued_at"]
    for parameter, expected in (("enqueued_after", True), ("enqueued_before", False)):
        shown = project.get(f"/api/tasks/?{parameter}={enqueued_at}").json()["results"]
        assert (task.json()["id"] in [one["id"] for one in shown]) is expected
    for late in ("9999-01-01T00:00:00+01:00", "9999-12-31T23:59:59Z"):
        problem = assert_problem(
            project.post("/api/tasks/", {**ADD, "run_after": late}),
            400,
            "not_supported_by_backend",
            prefix="/api",
        )
        assert problem["errors"][0]["pointer"] == "/run_after"
    never = {"task": "tests.project.shop.tasks.add_never", "args": [1, 2]}
    answer = project.post("/api/tasks/", {**never, "run_after": "2100-06-01T12:00:00Z"}).json()
    assert answer["run_after"] == "2100-06-01T12:00:00.000000Z"

    now = project.post("/api/tasks/", ADD).headers["Location"]
    run_all(project)
    finished = project.get(now).json()
    assert (finished["status"], finished["return_value"]) == ("SUCCESSFUL", 3)
    assert finished["enqueued_at"] <= finished["started_at"] <= finished["finished_at"]


@pytest.mark.parametrize("use_tz", ["on", "off"])
def test_a_deferred_task_runs_when_it_is_due_whatever_the_time_zone(
    start_project: StartProject, use_tz: str
) -> None:
    project = start_project({"USE_TZ": use_tz})
    now = datetime.now(UTC)

    def deferred(by: timedelta) -> str:
        run_after = (now + by).isoformat()
        return str(project.post("/api/tasks/", {**ADD, "run_after": run_after}).json()["url"])

    soon, late = deferred(timedelta(seconds=1)), deferred(timedelta(minutes=50))
    project.start_worker()
    try:
        assert project.wait_for(soon)["return_value"] == 3
    finally:
        project.stop_worker()
    assert project.get(late).json()["status"] == "READY"


PAGE_OF_TASKS = """
from django.contrib.auth import get_user_model
from django.test import Client
from tests.rows import task_row
task_row(queue_name="ovens").save()
task_row(task_path="nowhere.tasks.bake").save()
browser = Client(headers={"Host": "127.0.0.1"})
browser.force_login(get_user_model().objects.create_superuser("boss"))
page = browser.get("/admin/django_tasks_database/dbtaskresult/")
print(page.status_code, "nowhere.tasks.bake" in page.content.decode())
"""


def test_the_page_of_tasks_shows_those_whose_task_is_gone(project: LiveProject) -> None:
    shown = project.manage("shell", "--verbosity=0", f"--command={PAGE_OF_TASKS}")

    assert shown.stdout.split() == ["200", "True"], shown.stderr
