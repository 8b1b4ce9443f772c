"""The places that the core offers optional apps, as `tests.project.notes` takes them."""

from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.live_project import LiveProject
from tests.live_service import bearer
from tests.project.conftest import StartProject

ADD = {"task": "tests.project.shop.tasks.add", "kwargs": {"a": 1, "b": 2}}


@pytest.fixture(scope="module")
def noting(start_project: StartProject) -> LiveProject:
    """The project with the app installed."""
    project = start_project({"OPTIONAL_APPS": "tests.project.notes"})
    project.manage("migrate", "--verbosity=0")
    return project


def document(project: LiveProject) -> dict[str, Any]:
    served: dict[str, Any] = project.get("/api/openapi.json").json()
    return served


def parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation["parameters"]}


def test_a_call_may_have_a_further_member_and_its_task_shows_it(noting: LiveProject) -> None:
    noted = noting.post("/api/tasks/", {**ADD, "note": "first"})
    plain = noting.post("/api/tasks/", {**ADD, "note": None})

    assert (noted.status_code, noted.json()["note"]) == (202, "first")
    assert noted.json()["note_size"] == {"characters": 5}
    assert (plain.status_code, plain.json()["note"]) == (202, None)
    assert noting.get(noted.json()["url"]).json() == noted.json()
    assert noting.get(plain.json()["url"]).json() == plain.json()


def test_the_tasks_of_a_batch_have_it_too(noting: LiveProject) -> None:
    calls = [{**ADD, "note": "one of three"}, ADD, {**ADD, "note": "three of three"}]
    batch = noting.post("/api/tasks/batch/", {"tasks": calls}).json()["results"]

    assert [task["note"] for task in batch] == ["one of three", None, "three of three"]


@pytest.mark.parametrize(
    ("note", "code"), [(1, "string_type"), (["a"], "string_type"), ("a" * 101, "string_too_long")]
)
def test_a_value_that_is_wrong_is_refused_where_it_stands(
    noting: LiveProject, note: Any, code: str
) -> None:
    single = noting.post("/api/tasks/", {**ADD, "note": note})
    batch = noting.post("/api/tasks/batch/", {"tasks": [ADD, {**ADD, "note": note}]})

    assert (single.status_code, batch.status_code) == (400, 400)
    assert [(one["code"], one["pointer"]) for one in single.json()["errors"]] == [(code, "/note")]
    assert [one["pointer"] for one in batch.json()["errors"]] == ["/tasks/1/note"]


def test_what_the_app_refuses_when_a_task_is_enqueued_undoes_the_enqueue(
    noting: LiveProject,
) -> None:
    unwanted = {**ADD, "note": "unwanted"}
    newest = noting.post("/api/tasks/", ADD).json()["id"]
    single = noting.post("/api/tasks/", unwanted)
    batch = noting.post("/api/tasks/batch/", {"tasks": [{**ADD, "note": "wanted"}, unwanted]})

    for refused in (single, batch):
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["code"] == "unwanted_note"
    (left,) = noting.get("/api/tasks/?page_size=1").json()["results"]
    assert left["id"] == newest


def test_a_key_is_free_again_when_the_app_refuses(noting: LiveProject) -> None:
    headers = {"Idempotency-Key": "notes"}
    refused = noting.post("/api/tasks/", {**ADD, "note": "unwanted"}, headers=headers)
    assert refused.status_code == 400
    first = noting.post("/api/tasks/", {**ADD, "note": "wanted"}, headers=headers)
    second = noting.post("/api/tasks/", {**ADD, "note": "wanted"}, headers=headers)

    assert first.status_code == second.status_code == 202
    assert second.json() == first.json()


def test_lists_show_it_and_are_filtered_by_it(noting: LiveProject) -> None:
    url = noting.post("/api/tasks/", {**ADD, "note": "to be found"}).json()["url"]
    noting.post("/api/tasks/", ADD)
    found = noting.get("/api/tasks/?note=to%20be%20found").json()["results"]

    assert [(task["url"], task["note"]) for task in found] == [(url, "to be found")]
    assert noting.get("/api/tasks/?note=nothing%20such").json()["results"] == []
    twice = noting.get("/api/tasks/?note=a&note=b")
    assert twice.json()["errors"][0]["code"] == "repeated_parameter"


def test_a_scope_may_need_another_one(noting: LiveProject) -> None:
    with pytest.raises(AssertionError, match=r"The scope note needs the scope read\."):
        noting.create_client("noter", "--scope=note")

    key = noting.create_client("noter", "--scope=note", "--scope=read")
    assert noting.get("/api/notes/", headers=bearer(key)).status_code == 200
    assert noting.get("/api/notes/").json()["code"] == "insufficient_scope"


def test_the_resource_is_linked_to_and_all_is_documented(noting: LiveProject) -> None:
    described = document(noting)
    schemas = described["components"]["schemas"]

    assert noting.get("/api/").json()["notes"] == f"{noting.url}/api/notes/"
    assert "notes" in schemas["Root"]["required"]
    assert described["paths"]["/api/notes/"]["get"]["operationId"] == "list_notes"
    assert "notes" in {tag["name"] for tag in described["tags"]}
    assert "note" in parameters(described["paths"]["/api/tasks/"]["get"])
    assert schemas["AddRequest"]["properties"]["note"] == {"type": "string", "maxLength": 100}
    assert {"type": "null"} in schemas["Task"]["properties"]["note"]["anyOf"]
    assert {"note", "note_size"} <= set(schemas["Task"]["required"])
    size = {"$ref": "#/components/schemas/NoteSize"}
    assert size in schemas["Task"]["properties"]["note_size"]["anyOf"]
    assert schemas["NoteSize"]["required"] == ["characters"]
    validate(described)
    assert "unwanted_note" in noting.get("/api/problems/").text


def test_an_app_that_is_not_installed_leaves_no_trace(project: LiveProject) -> None:
    assert project.get("/api/notes/").status_code == 404
    assert "notes" not in project.get("/api/").json()
    assert "note" not in project.post("/api/tasks/", ADD).json()
    unknown = project.post("/api/tasks/", {**ADD, "note": "first"}).json()
    assert [(one["code"], one["pointer"]) for one in unknown["errors"]] == [
        ("unknown_member", "/note")
    ]
    assert project.get("/api/tasks/?note=first").json()["errors"][0]["code"] == "unknown_parameter"
    text = project.get("/api/openapi.yaml").text
    assert "note:" not in text
    assert "notes" not in text
    assert "unwanted_note" not in project.get("/api/problems/").text
