"""What the two hot paths ask of the database."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from tasks_api import models
from tasks_api.clients.keys import forget_remembered_keys
from tasks_api.ids import task_id

CALL = json.dumps({"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}})

pytestmark = pytest.mark.django_db(transaction=True)


def queries_of(request: Callable[[], Any]) -> tuple[Any, list[str]]:
    with CaptureQueriesContext(connection) as queries:
        response = request()
    return response, [query["sql"].split()[0] for query in queries.captured_queries]


@pytest.fixture(autouse=True)
def remembered_key(client: Client) -> None:
    """Have the process remember the key, as it does for all requests but one in five seconds."""
    assert client.get("/client/").status_code == 200


def post(client: Client) -> Any:
    return client.post("/tasks/", CALL, content_type="application/json")


def test_post_is_one_insert(client: Client) -> None:
    response, queries = queries_of(lambda: post(client))

    assert response.status_code == 202
    assert queries == ["INSERT"]


def test_get_is_one_select(client: Client) -> None:
    url = post(client).json()["url"]
    response, queries = queries_of(lambda: client.get(url))

    assert response.status_code == 200
    assert queries == ["SELECT"]


def test_a_poll_without_news_is_one_select(client: Client) -> None:
    url = post(client).json()["url"]
    tag = client.get(url).headers["ETag"]
    response, queries = queries_of(lambda: client.get(url, headers={"If-None-Match": tag}))

    assert response.status_code == 304
    assert queries == ["SELECT"]


def test_the_first_use_of_a_key_is_one_select_more_and_the_next_ones_none(client: Client) -> None:
    forget_remembered_keys()

    assert queries_of(lambda: post(client))[1] == ["SELECT", "INSERT"]
    assert queries_of(lambda: post(client))[1] == ["INSERT"]


def test_without_memory_each_request_asks_for_the_key(client: Client) -> None:
    with override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": 0}):
        for _ in range(2):
            assert queries_of(lambda: post(client))[1] == ["SELECT", "INSERT"]


@pytest.mark.parametrize("key", ["", "Basic eA==", "Bearer x", "Bearer tk_", "mistyped"])
def test_no_key_and_a_mistyped_one_ask_nothing(client: Client, key: str) -> None:
    if key == "mistyped":
        right = client.defaults["HTTP_AUTHORIZATION"]
        key = right[:-1] + ("a" if right[-1] != "a" else "b")
    response, queries = queries_of(
        lambda: client.get("/task-types/", headers={"Authorization": key})
    )

    assert (response.status_code, queries) == (401, [])


@pytest.mark.parametrize(
    "body", ['{"task": "nothing"}', "{", '{"task": "service.tasks.say_hello"}']
)
def test_a_refused_request_asks_nothing(client: Client, body: str) -> None:
    response, queries = queries_of(
        lambda: client.post("/tasks/", body, content_type="application/json")
    )

    assert response.status_code == 400
    assert queries == []


def test_another_clients_task_asks_nothing(client: Client) -> None:
    other = models.Client.objects.create(name="other")
    url = f"/tasks/{task_id(other.number, 0, 0)}/"
    response, queries = queries_of(lambda: client.get(url))

    assert (response.status_code, queries) == (404, [])


def test_the_catalogue_and_an_id_that_is_none_ask_nothing(client: Client) -> None:
    for path, status in {
        "/task-types/": 200,
        "/client/": 200,
        "/": 200,
        "/tasks/x/": 404,
        "/livez": 200,
    }.items():
        response, queries = queries_of(lambda path=path: client.get(path))
        assert (response.status_code, queries) == (status, [])


def test_a_client_with_a_rate_limit_costs_one_statement_more(
    client: Client, tasks_client: models.Client
) -> None:
    models.Client.objects.update(rate="1000/day")
    forget_remembered_keys()
    assert client.get("/client/").status_code == 200

    assert queries_of(lambda: post(client))[1] == ["INSERT", "INSERT"]
