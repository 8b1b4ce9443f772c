"""Several backends at once: each task is served as its own backend allows."""

import subprocess
import sys
import textwrap
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.http.test_hostile_bodies import assert_problem as assert_problem_at_root
from tests.live_project import LiveProject
from tests.live_service import DEADLINE, PROJECT
from tests.project.file_backend import FileBackend

TASKS = "tests.project.shop.tasks"

assert_problem = partial(assert_problem_at_root, prefix="/api")


def post(project: LiveProject, name: str, *args: Any, **body: Any) -> Any:
    return project.post("/api/tasks/", {"task": f"{TASKS}.{name}", "args": args, **body})


def run_at_once(project: LiveProject, name: str, *args: Any) -> dict[str, Any]:
    response = post(project, name, *args)
    assert response.status_code == 200, response.text
    assert "Retry-After" not in response.headers
    task: dict[str, Any] = response.json()
    assert task["is_finished"]
    assert task["url"] == response.headers["Location"]
    return task


def work(project: LiveProject) -> None:
    """Do what the worker of the third party's backend does."""
    # The project's own process: its tasks belong to its settings.
    project.manage(
        "shell",
        "--command=from django.tasks import task_backends; task_backends['files'].work()",
    )


# Django's backends.


def test_immediate_answers_200_with_the_finished_task(project: LiveProject) -> None:
    task = run_at_once(project, "add_at_once", 1, 2)

    assert (task["status"], task["return_value"], task["errors"]) == ("SUCCESSFUL", 3, [])
    assert (task["backend"], task["priority"], task["attempts"]) == ("at_once", 3, 1)
    assert task["enqueued_at"] <= task["started_at"] <= task["finished_at"]
    assert run_at_once(project, "add_at_once_asynchronously", 1, 2)["return_value"] == 3
    assert run_at_once(project, "tell_attempt_at_once")["return_value"] == 1


def test_immediate_and_dummy_keep_nothing_to_read(project: LiveProject) -> None:
    for name in ("add_at_once", "add_never"):
        response = post(project, name, 1, 2)
        again = project.get(response.headers["Location"])
        assert_problem(again, 501, "results_not_supported")


def test_dummy_answers_202_with_a_task_that_stays_ready(project: LiveProject) -> None:
    response = post(project, "add_never", 1, 2, run_after="2100-01-01T00:00:00Z", priority=9)

    assert response.status_code == 202
    task = response.json()
    assert (task["status"], task["is_finished"], task["backend"]) == ("READY", False, "never")
    assert (task["run_after"], task["priority"]) == ("2100-01-01T00:00:00.000000Z", 9)


def test_an_unknown_id_is_a_404_unless_a_backend_without_results_may_have_drawn_it(
    project: LiveProject,
) -> None:
    for unknown in (
        "x",
        "file:nothing",
        "00000000-01a2-8065-b99c-d4393fc1e781",
        "a" * 31,
        "ä" * 32,
    ):
        assert_problem(project.get(f"/api/tasks/{unknown}/"), 404, "not_found")
    assert_problem(project.get(f"/api/tasks/{'a' * 32}/"), 501, "results_not_supported")


@pytest.mark.parametrize("name", ["raise_at_once", "raise_at_once_asynchronously"])
def test_a_task_that_interrupts_its_thread_stops_nobody(project: LiveProject, name: str) -> None:
    assert_problem(post(project, name, "interrupt"), 500, "internal_error")
    assert run_at_once(project, "add_at_once", 2, 2)["return_value"] == 4
    assert project.log().count("Booting worker") == 1


@pytest.mark.parametrize("name", ["raise_at_once", "raise_at_once_asynchronously"])
@pytest.mark.parametrize(
    ("kind", "exception"),
    [
        ("exit", "builtins.SystemExit"),
        ("cancel", "asyncio.exceptions.CancelledError"),
        ("generator", "builtins.GeneratorExit"),
        ("base", "builtins.BaseException"),
        ("error", "builtins.ValueError"),
        ("surrogate", "builtins.ValueError"),
        ("nul", "builtins.ValueError"),
        ("group", "builtins.BaseExceptionGroup"),
    ],
)
def test_whatever_a_task_raises_at_once_is_a_failed_task_and_stops_nobody(
    project: LiveProject, name: str, kind: str, exception: str
) -> None:
    assert project.web is not None
    task = run_at_once(project, name, kind)

    assert (task["status"], task["return_value"]) == ("FAILED", None)
    (error,) = task["errors"]
    assert error["exception_class_path"] == exception
    assert error["traceback"].startswith(("Traceback", "  + Exception Group Traceback"))
    assert run_at_once(project, "add_at_once", 2, 2)["return_value"] == 4
    assert project.log().count("Booting worker") == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("nan", [None, None, None, 1.5]),
        ("surrogate", {"\ud800": "\udfff", "a": "é"}),
        ("nul", "\0"),
        ("huge text", "é" * 3_000_000),
        ("huge integer", [10**4299, None, None]),
        ("bytes", "abc"),
        ("tuple", [1, [2, 3]]),
        ("numbers as names", {"1": "one", "null": "nothing", "1.5": "more"}),
    ],
)
def test_whatever_json_a_task_returns_at_once_is_answered(
    project: LiveProject, kind: str, value: Any
) -> None:
    task = run_at_once(project, "return_at_once", kind)

    assert (task["status"], task["return_value"]) == ("SUCCESSFUL", value)


@pytest.mark.parametrize("kind", ["nan", "surrogate", "nul", "huge integer", "bytes"])
def test_a_key_repeats_whatever_a_task_returned_at_once(project: LiveProject, kind: str) -> None:
    body = {"task": f"{TASKS}.return_at_once", "args": [kind]}
    headers = {"Idempotency-Key": f"returns {kind}".replace(" ", "-")}
    first = project.post("/api/tasks/", body, headers=headers)
    again = project.post("/api/tasks/", body, headers=headers)

    assert (first.status_code, again.status_code) == (200, 200), first.text + again.text
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


@pytest.mark.parametrize("kind", ["object", "set", "latin-1", "circle", "very deep"])
def test_what_is_no_json_fails_a_task_that_runs_at_once(project: LiveProject, kind: str) -> None:
    task = run_at_once(project, "return_at_once", kind)

    assert (task["status"], task["return_value"]) == ("FAILED", None)


def test_a_deep_return_value_is_answered(project: LiveProject) -> None:
    value = run_at_once(project, "return_at_once", "deep")["return_value"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1

    assert depth == 200


def test_a_task_that_runs_at_once_cannot_change_what_was_sent(project: LiveProject) -> None:
    response = post(project, "change_the_arguments", [1], kwargs={"where": {"a": 1}})

    assert response.status_code == 200
    assert (response.json()["args"], response.json()["kwargs"]) == ([[1]], {"where": {"a": 1}})


def test_a_task_that_another_enqueues_while_it_runs_at_once_is_the_projects(
    project: LiveProject,
) -> None:
    identifier = run_at_once(project, "enqueue_another")["return_value"]

    assert identifier.startswith("00000000-")
    assert project.get(f"/api/tasks/{identifier}/").json()["status"] == "READY"


# A third party's backend.


def test_a_third_partys_task_is_enqueued_run_and_read_under_its_own_id(
    project: LiveProject,
) -> None:
    response = post(project, "add_by_files", 1, 2)
    assert response.status_code == 202
    task = response.json()
    assert task["id"].startswith("file:")
    assert (task["status"], task["backend"]) == ("READY", "files")
    assert project.get(task["url"]).json() == task

    work(project)

    finished = project.get(task["url"])
    assert finished.headers["ETag"]
    assert finished.json()["status"] == "SUCCESSFUL"
    assert (finished.json()["return_value"], finished.json()["worker_ids"]) == (3, ["w1"])


def test_a_third_partys_task_that_failed_says_why(project: LiveProject) -> None:
    url = post(project, "fail_by_files").headers["Location"]
    work(project)

    task = project.get(url).json()
    assert task["status"] == "FAILED"
    assert task["errors"][0]["exception_class_path"] == "builtins.ValueError"


@pytest.mark.parametrize(
    ("name", "body", "pointers"),
    [
        ("add_by_files", {"priority": 1}, ["/priority"]),
        ("add_by_files", {"run_after": "2100-01-01T00:00:00Z"}, ["/run_after"]),
        ("add_by_files", {"run_after": "2001-01-01T00:00:00Z"}, ["/run_after"]),
        (
            "add_by_files",
            {"priority": -1, "run_after": "2100-01-01T00:00:00Z"},
            ["/priority", "/run_after"],
        ),
        ("add_by_files", {"queue_name": "elsewhere"}, ["/queue_name"]),
        ("add_by_files_asynchronously", {}, ["/task"]),
        ("add_at_once", {"run_after": "2100-01-01T00:00:00Z"}, ["/run_after"]),
        ("add_at_once", {"queue_name": "elsewhere"}, ["/queue_name"]),
    ],
)
def test_what_the_tasks_backend_cannot_do_is_refused_and_nothing_stored(
    project: LiveProject, name: str, body: dict[str, Any], pointers: list[str]
) -> None:
    stored = sorted(project.files.iterdir())
    problem = assert_problem(post(project, name, 1, 2, **body), 400, "not_supported_by_backend")

    assert [fault["pointer"] for fault in problem["errors"]] == pointers
    assert sorted(project.files.iterdir()) == stored


def test_priority_zero_is_no_priority(project: LiveProject) -> None:
    assert post(project, "add_by_files", 1, 2, priority=0).status_code == 202


def test_a_rule_of_the_backends_own_is_a_refusal_too(start_project: Any) -> None:
    project = start_project({"FILE_QUEUES": "default,closed"})

    refused = post(project, "add_by_files", 1, 2, queue_name="closed")
    assert_problem(refused, 400, "not_supported_by_backend")
    assert list(project.files.iterdir()) == []


# Several at once.


def test_a_list_shows_what_the_store_holds_that_can_list(project: LiveProject) -> None:
    shown = post(project, "add", 3, 4).json()["id"]
    hidden = [post(project, name, 3, 4).json()["id"] for name in ("add_by_files", "add_at_once")]
    answer = project.get("/api/tasks/?page_size=200").json()
    identifiers = {task["id"] for task in answer["results"]}

    assert shown in identifiers
    assert not identifiers & set(hidden)


def test_tasks_of_several_stores_are_read_by_their_ids_at_once(project: LiveProject) -> None:
    ours, theirs, lost, other = (
        post(project, name, 3, 4).json()["id"]
        for name in ("add", "add_by_files", "add_at_once", "add")
    )
    query = urlencode({"id": [ours, lost, theirs, "file:nothing", "x", other]}, doseq=True)
    answer = project.get(f"/api/tasks/?{query}").json()

    assert [task["id"] for task in answer["results"]] == sorted([ours, theirs, other], reverse=True)


def test_one_alias_says_nothing_of_another(project: LiveProject) -> None:
    for name, backend, status in (
        ("add", "default", 202),
        ("add_at_once", "at_once", 200),
        ("add_never", "never", 202),
        ("add_by_files", "files", 202),
    ):
        response = post(project, name, 1, 2)
        assert (response.status_code, response.json()["backend"]) == (status, backend)
        read = project.get(response.headers["Location"])
        assert read.status_code == (200 if backend in {"default", "files"} else 501)


# One backend alone, chosen by the service's one setting.


def test_the_service_runs_tasks_at_once_by_one_setting(start_service: Any) -> None:
    service = start_service({"TASKS_BACKEND": "immediate"}, worker=False)
    response = service.post("/tasks/", {"task": "service.tasks.add", "args": [1, 2]})

    assert (response.status_code, response.json()["return_value"]) == (200, 3)
    assert_problem_at_root(service.get(response.headers["Location"]), 501, "results_not_supported")
    assert_problem_at_root(service.get("/tasks/"), 501, "listing_not_supported")
    assert_problem_at_root(service.get("/tasks/?id=x"), 501, "listing_not_supported")
    assert_problem_at_root(service.get("/tasks/?status=nonsense"), 400, "invalid_request")
    assert service.get("/readyz").status_code == 200


def test_the_service_runs_nothing_by_one_setting(start_service: Any) -> None:
    service = start_service({"TASKS_BACKEND": "dummy"}, worker=False)
    response = service.post("/tasks/", {"task": "service.tasks.add", "args": [1, 2]})

    assert (response.status_code, response.json()["status"]) == (202, "READY")
    assert_problem_at_root(service.get(response.headers["Location"]), 501, "results_not_supported")
    assert_problem_at_root(service.get("/tasks/"), 501, "listing_not_supported")


def test_the_service_takes_a_third_partys_backend_by_one_setting(
    start_service: Any, tmp_path: Any
) -> None:
    service = start_service(
        {
            "TASKS_BACKEND": "tests.project.file_backend.PrioritizingFileBackend",
            "TASKS_DIRECTORY": str(tmp_path),
        },
        worker=False,
    )
    response = service.post("/tasks/", {"task": "service.tasks.add", "args": [1, 2]})
    assert response.status_code == 202

    FileBackend("default", {"OPTIONS": {"directory": str(tmp_path)}}).work()

    task = service.wait_for(response.headers["Location"])
    assert (task["status"], task["return_value"]) == ("SUCCESSFUL", 3)
    assert service.get(f"/tasks/?id={task['id']}").json()["results"] == [task]
    assert_problem_at_root(service.get("/tasks/"), 501, "listing_not_supported")
    assert_problem_at_root(service.get("/tasks/file:nothing/"), 404, "not_found")


# Without django-tasks-db.

WITHOUT_DJANGO_TASKS_DB = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "django_tasks_db":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-tests-which-everybody-may-read",
    ROOT_URLCONF="__main__",
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_spectacular", "drf_spectacular_sidecar", "tasks_api", "service"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    STATIC_URL="static/",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TASKS={"default": {
        "BACKEND": "django.tasks.backends.immediate.ImmediateBackend",
        "QUEUES": ["default", "emails", "reports"],
    }},
    TASKS_API={"TASKS": ["service.tasks.*"]},
)

import django
django.setup()

from django.core.management import call_command
from django.test import Client
from django.urls import include, path

from tasks_api.clients.keys import issue
from tasks_api import models

urlpatterns = [path("", include("tasks_api.urls"))]
call_command("check", "--fail-level=WARNING")
call_command("migrate", verbosity=0)
caller = models.Client.objects.create(name="tests")
client = Client(headers={"Authorization": "Bearer " + issue(caller).text})
call = {"task": "service.tasks.add", "args": [3, 4]}
enqueued = client.post("/tasks/", call, content_type="application/json")
answers = [enqueued, client.get(f"/tasks/{enqueued.json()['id']}/"), client.get("/tasks/")]
for path in ("/task-types/", "/", "/openapi.json", "/docs/", "/livez", "/readyz"):
    answers.append(client.get(path))
print(json.dumps([answer.status_code for answer in answers]))
assert enqueued.json()["return_value"] == 7
assert "django_tasks_db" not in sys.modules
"""


def test_the_app_works_where_django_tasks_db_is_not_installed() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_DJANGO_TASKS_DB)],
        cwd=PROJECT,
        text=True,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )

    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.splitlines()[-1] == "[200, 501, 501, 200, 200, 200, 200, 200, 200]"
