"""A client sees and touches its own tasks; for all others they are not there."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.tasks import task_backends
from django.tasks.signals import task_enqueued
from django.test import Client

from service.tasks import say_hello
from tasks_api import ids, models
from tasks_api.clients.keys import issue
from tasks_api.clients.ownership import on_behalf_of
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import bearer
from tests.signals import connected
from tests.task_backends import KEEPING, default_backend

CALL = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})
MakeClient = Callable[..., Client]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_client(tasks_client: models.Client) -> MakeClient:
    """A function that makes a client of its own and returns a test client with its key."""

    def make(name: str, *scopes: str) -> Client:
        row = models.Client.objects.create(name=name, scopes=scopes or models.usual_scopes())
        return Client(headers=bearer(issue(row).text))

    return make


@pytest.fixture
def ledger() -> Iterator[None]:
    """Tasks go to a backend whose ids know no owner."""
    with default_backend(KEEPING):
        yield


def enqueue(client: Client) -> str:
    response = client.post("/tasks/", CALL, content_type="application/json")
    assert response.status_code == 202, response.content
    identifier: str = response.json()["id"]
    return identifier


def listed(client: Client, query: str = "") -> list[str]:
    response = client.get(f"/tasks/{query}")
    assert response.status_code == 200, response.content
    return [task["id"] for task in response.json()["results"]]


def test_the_id_of_a_task_carries_its_owner(client: Client, tasks_client: models.Client) -> None:
    assert ids.owner_of(UUID(enqueue(client))) == tasks_client.number


def test_another_clients_task_is_not_there(client: Client, make_client: MakeClient) -> None:
    other = make_client("other")
    identifier = enqueue(client)

    assert client.get(f"/tasks/{identifier}/").status_code == 200
    missing = assert_problem(other.get("/tasks/x/"), 404, "not_found")
    hidden = assert_problem(other.get(f"/tasks/{identifier}/"), 404, "not_found")
    assert hidden | {"request_id": ""} == missing | {"request_id": ""}
    assert listed(other) == listed(other, f"?id={identifier}") == []
    assert listed(client) == listed(client, f"?id={identifier}") == [identifier]


def test_a_forged_id_finds_nothing(client: Client, make_client: MakeClient) -> None:
    other = make_client("other")
    number = models.Client.objects.get(name="other").number
    theirs = UUID(enqueue(client))
    forged = UUID(int=(number << 96) | (theirs.int & ((1 << 96) - 1)))

    assert_problem(other.get(f"/tasks/{forged}/"), 404, "not_found")
    assert listed(other, f"?id={forged}&id={theirs}") == []


def test_a_task_of_the_project_is_no_clients(client: Client) -> None:
    identifier = say_hello.enqueue(name="Ada").id

    assert_problem(client.get(f"/tasks/{identifier}/"), 404, "not_found")
    assert listed(client) == listed(client, f"?id={identifier}") == []


def test_an_admin_reads_everything(client: Client, make_client: MakeClient) -> None:
    admin = make_client("boss", "admin")
    theirs, projects = enqueue(client), say_hello.enqueue(name="Ada").id

    for identifier in (theirs, projects):
        assert admin.get(f"/tasks/{identifier}/").status_code == 200
        assert listed(admin, f"?id={identifier}") == [identifier]
    assert listed(admin) == []
    assert listed(admin, "?client=tests") == [theirs]
    assert listed(admin, "?client=project") == [projects]


def test_an_admin_changes_nothing_without_the_scope_for_it(make_client: MakeClient) -> None:
    response = make_client("boss", "admin").post("/tasks/", CALL, content_type="application/json")

    assert_problem(response, 403, "insufficient_scope")


def test_pages_of_another_clients_list_follow_each_other(
    client: Client, make_client: MakeClient
) -> None:
    admin = make_client("boss", "admin")
    enqueued = [enqueue(client) for _ in range(3)]
    page = admin.get("/tasks/?client=tests&page_size=2").json()
    following = admin.get(page["next"]).json()

    found = [task["id"] for task in [*page["results"], *following["results"]]]
    assert found == enqueued[::-1]
    # A cursor is valid only for the list that it was issued for.
    cursor = page["next"].replace("client=tests", "client=project")
    assert_problem(admin.get(cursor), 400, "invalid_cursor")


@pytest.mark.parametrize("name", ["nobody", "", "%00", "x" * 300])
def test_a_client_that_is_not_there_has_no_list(make_client: MakeClient, name: str) -> None:
    response = make_client("boss", "admin").get(f"/tasks/?client={name}")
    problem = assert_problem(response, 400, "invalid_request")

    assert problem["errors"][0]["parameter"] == "client"


def test_only_an_admin_names_whose_tasks_to_list(client: Client) -> None:
    for name in ("tests", "project", "nobody"):
        response = client.get(f"/tasks/?client={name}")
        assert_problem(response, 403, "insufficient_scope")
        assert 'scope="admin"' in response.headers["WWW-Authenticate"]


def test_the_project_enqueues_on_behalf_of_a_client(
    client: Client, tasks_client: models.Client
) -> None:
    with on_behalf_of(tasks_client):
        own = [say_hello.enqueue(name="Ada").id for _ in range(2)]
    after = say_hello.enqueue(name="Ada").id

    # Within one millisecond the order is by chance.
    assert sorted(listed(client)) == sorted(own)
    assert client.get(f"/tasks/{own[0]}/").status_code == 200
    assert client.get(f"/tasks/{after}/").status_code == 404


def test_a_backend_with_ids_of_its_own_keeps_owners_too(
    ledger: None, client: Client, make_client: MakeClient, tasks_client: models.Client
) -> None:
    other, admin = make_client("other"), make_client("boss", "admin")
    theirs = enqueue(client)
    with on_behalf_of(tasks_client):
        behalf = say_hello.enqueue(name="Ada").id
    projects = say_hello.enqueue(name="Ada").id
    assert len(task_backends["default"].results) == 3  # type: ignore[attr-defined]

    for identifier in (theirs, behalf):
        assert client.get(f"/tasks/{identifier}/").status_code == 200
        assert listed(client, f"?id={identifier}") == [identifier]
        assert_problem(other.get(f"/tasks/{identifier}/"), 404, "not_found")
        assert listed(other, f"?id={identifier}") == []
    assert_problem(client.get(f"/tasks/{projects}/"), 404, "not_found")
    assert listed(client, f"?id={projects}") == []
    for identifier in (theirs, behalf, projects):
        assert admin.get(f"/tasks/{identifier}/").status_code == 200


def test_a_ledger_is_kept_only_where_ids_say_nothing(client: Client) -> None:
    enqueue(client)

    assert not models.TaskOwner.objects.exists()


def test_a_receiver_enqueues_nothing_in_the_clients_name(
    client: Client, tasks_client: models.Client
) -> None:
    seen: list[Any] = []

    def follow_up(**_: Any) -> None:
        if not seen:
            seen.append(None)
            seen.append(say_hello.enqueue(name="follow-up").id)

    with connected(task_enqueued, follow_up):
        own = enqueue(client)

    assert ids.owner_of(UUID(seen[1])) == ids.PROJECT
    assert listed(client) == [own]


def test_a_client_may_be_named_by_its_whole_row_alone(
    client: Client, tasks_client: models.Client
) -> None:
    # Deriving ids from names would give a renamed client's tasks to whoever takes the name.
    own = enqueue(client)
    models.Client.objects.filter(pk=tasks_client.pk).update(name="renamed")
    models.Client.objects.create(name="tests")

    assert client.get(f"/tasks/{own}/").status_code == 200
