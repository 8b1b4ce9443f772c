"""`GET /tasks/`: filters, pages, cursors."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from hypothesis import given, settings
from hypothesis import strategies as st

from service.tasks import say_hello
from tasks_api import models
from tasks_api.backends import Selection
from tasks_api.backends.database import keyset
from tasks_api.clients.keys import issue
from tasks_api.clients.last_use import last_uses
from tasks_api.clients.ownership import on_behalf_of
from tasks_api.ids import PROJECT, task_id
from tasks_api.outcomes import BY_EXCEPTION, OUTCOMES
from tasks_api.results.listing import page_of
from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import DEADLINE, LiveService, bearer
from tests.rows import task_row
from tests.tasks import echo, has_a_queue_and_a_priority

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = 77
STATUSES = ["READY", "RUNNING", "SUCCESSFUL", "FAILED"]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def owner() -> models.Client:
    """The client that requests are from, with a number that rows can be made for."""
    return models.Client.objects.get_or_create(name="tests", number=OWNER)[0]


def owners_client() -> Client:
    """Give Django's test client a key, one that this process remembers: it costs no query more."""
    client = Client(headers=bearer(issue(owner()).text))
    assert client.get("/tasks/?page_size=1").status_code == 200
    last_uses.wait(DEADLINE)
    return client


@pytest.fixture
def client(transactional_db: None) -> Client:
    return owners_client()


@pytest.fixture
def admin(transactional_db: None) -> Iterator[Client]:
    """Django's test client with the key of an administrator."""
    administrator = models.Client.objects.create(name="admin", scopes=["admin", "read"])
    yield Client(headers=bearer(issue(administrator).text))
    last_uses.wait(DEADLINE)


def row(number: int, *, owner: int = OWNER, **columns: Any) -> DBTaskResult:
    """Give the row of a task that was enqueued `number` milliseconds after noon."""
    milliseconds = int(NOON.timestamp() * 1000) + number
    key = task_id(owner, milliseconds, columns.pop("random", 0))
    return task_row(**{"id": key, "args_kwargs": {"args": [number], "kwargs": {}}, **columns})


def store(*rows: DBTaskResult) -> None:
    """Store rows as if they had been enqueued at the moment that their ids tell."""
    DBTaskResult.objects.bulk_create(rows)
    for one in rows:
        one.enqueued_at = NOON + timedelta(milliseconds=one.args_kwargs["args"][0])
    DBTaskResult.objects.bulk_update(rows, ["enqueued_at"])


def page(client: Client, url: str = "/tasks/", /, **parameters: Any) -> dict[str, Any]:
    target = f"{url}?{urlencode(parameters, doseq=True)}" if parameters else url
    response = client.get(target)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    assert list(answer) == ["next", "previous", "results"]
    return answer


def numbers(answer: dict[str, Any]) -> list[int]:
    return [task["args"][0] for task in answer["results"]]


def walk(client: Client, url: str | None = "/tasks/", **parameters: Any) -> Iterator[list[int]]:
    """Give page after page, as far as `next` leads."""
    while url:
        answer = page(client, url, **parameters)
        yield numbers(answer)
        url, parameters = answer["next"], {}


# What is listed.


def test_tasks_are_listed_newest_first_as_they_are_read(client: Client) -> None:
    assert page(client) == {"next": None, "previous": None, "results": []}
    for name in "abc":
        client.post(
            "/tasks/",
            {"task": "service.tasks.say_hello", "kwargs": {"name": name}},
            content_type="application/json",
        )
        # Within one millisecond the order is by chance.
        before = datetime.now(UTC)
        while datetime.now(UTC) - before < timedelta(milliseconds=2):
            pass
    answer = page(client)

    assert [task["kwargs"]["name"] for task in answer["results"]] == ["c", "b", "a"]
    assert (answer["next"], answer["previous"]) == (None, None)
    assert answer["results"] == [client.get(task["url"]).json() for task in answer["results"]]


def test_tasks_of_the_projects_own_code_are_listed_for_an_administrator(
    client: Client, admin: Client
) -> None:
    identifier = say_hello.enqueue("Ada").id

    assert [task["id"] for task in page(admin, client="project")["results"]] == [identifier]
    assert page(admin)["results"] == page(client)["results"] == []
    assert client.get("/tasks/?client=project").status_code == 403


def test_tasks_of_another_owner_are_not_listed(client: Client) -> None:
    stranger = row(2, owner=7)
    store(row(1), stranger, row(3, owner=2**32 - 1))

    assert numbers(page(client)) == [1]
    assert numbers(page(client, id=[str(stranger.id)])) == []


def test_ids_that_know_no_owner_are_read_and_not_listed(client: Client, admin: Client) -> None:
    old = row(1, id=uuid.UUID("5f0c332a-0193-4065-b99c-d4393fc1e781"))
    store(old, row(2, owner=PROJECT))

    assert numbers(page(admin, client="project")) == [2]
    assert admin.get(f"/tasks/{old.id}/").status_code == 200
    assert numbers(page(admin, id=[str(old.id)])) == [1]
    assert client.get(f"/tasks/{old.id}/").status_code == 404


def test_an_id_that_knows_no_owner_is_in_nobodys_list_by_chance() -> None:
    store(row(1, id=uuid.UUID("00000007-01a2-4065-b99c-d4393fc1e781")), row(2, owner=7))
    answer = page_of(
        Selection(),
        None,
        owner=7,
        page_size=50,
        encode=lambda tasks: ((task, json.dumps(task.args).encode()) for task in tasks),
    )

    assert answer.tasks == [b"[2]"]


def test_a_task_whose_code_was_removed_is_listed(client: Client) -> None:
    store(row(1, task_path="gone.tasks.removed", backend_name="gone", queue_name="gone"))

    assert page(client)["results"][0]["task"] == "gone.tasks.removed"
    assert numbers(page(client, task="gone.tasks.removed")) == [1]


# Filters.


def ended_in_every_way() -> None:
    """Store two tasks of each outcome, and one that waits, from number 0."""
    paths = ["", "builtins.ValueError", *BY_EXCEPTION]
    statuses = ["SUCCESSFUL", *["FAILED"] * 5]
    ended = list(zip(statuses, paths, strict=True))
    store(
        row(0),
        *(
            row(number, status=status, exception_class_path=path)
            for number, (status, path) in enumerate([*ended, *ended], start=1)
        ),
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        *(({"outcome": one}, [7 + place, 1 + place]) for place, one in enumerate(OUTCOMES)),
        ({"outcome": OUTCOMES}, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"outcome": ["succeeded", "cancelled"]}, [9, 7, 3, 1]),
        ({"outcome": ["failed", "lost"]}, [12, 8, 6, 2]),
        ({"outcome": ["succeeded", "failed", "lost"]}, [12, 8, 7, 6, 2, 1]),
        ({"outcome": ["cancelled", "failed"], "status": "FAILED"}, [9, 8, 3, 2]),
        ({"outcome": ["cancelled", "succeeded"], "status": "FAILED"}, [9, 3]),
        ({"outcome": ["cancelled", "succeeded"], "status": "SUCCESSFUL"}, [7, 1]),
        ({"outcome": "succeeded", "status": "FAILED"}, []),
        ({"outcome": "cancelled", "status": ["READY", "RUNNING"]}, []),
        ({"outcome": "expired", "queue_name": "default"}, [11, 5]),
        ({"outcome": "expired", "queue_name": "emails"}, []),
        ({"outcome": "expired", "task": "other"}, []),
    ],
)
def test_tasks_are_listed_by_what_became_of_them(
    client: Client, query: dict[str, Any], expected: list[int]
) -> None:
    ended_in_every_way()
    first = page(client, **query, page_size=1)
    assert numbers(page(client, **query)) == expected
    found = numbers(first)
    while first["next"]:
        first = page(client, first["next"])
        found += numbers(first)
    assert found == expected
    for task in page(client, **query)["results"]:
        assert task["outcome"] in (
            [query["outcome"]] if isinstance(query["outcome"], str) else query["outcome"]
        )


def test_a_cursor_holds_for_one_outcome_and_others_are_refused(client: Client) -> None:
    ended_in_every_way()
    following = page(client, outcome="lost", page_size=1)["next"]
    other = client.get(following.replace("outcome=lost", "outcome=failed"))
    assert_problem(other, 400, "invalid_cursor")
    for wrong in ("LOST", "", "FAILED"):
        problem = assert_problem(client.get(f"/tasks/?outcome={wrong}"), 400, "invalid_request")
        [fault] = problem["errors"]
        assert (fault["parameter"], fault["code"]) == ("outcome", "enum")
        assert fault["detail"] == f"Should be one of {', '.join(OUTCOMES)}."


def test_a_status_may_be_named_more_than_once(client: Client) -> None:
    statuses = ["READY", "RUNNING", "SUCCESSFUL", "FAILED"]
    store(*(row(number, status=status) for number, status in enumerate(statuses)))

    assert numbers(page(client, status="FAILED")) == [3]
    assert numbers(page(client, status=["RUNNING", "READY", "READY"])) == [1, 0]
    assert numbers(page(client, status=statuses)) == [3, 2, 1, 0]


def test_filters_are_combined(client: Client) -> None:
    with on_behalf_of(owner()):
        has_a_queue_and_a_priority.enqueue()
        has_a_queue_and_a_priority.using(queue_name="reports").enqueue()
        echo.enqueue()
    name = "tests.tasks.has_a_queue_and_a_priority"

    assert len(page(client, task=name)["results"]) == 2
    (task,) = page(client, task=name, queue_name="emails", status="READY")["results"]
    assert (task["task"], task["queue_name"]) == (name, "emails")
    assert page(client, task=name, queue_name="emails", status="FAILED")["results"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"task": "no.such.task"},
        {"task": ""},
        {"queue_name": "nowhere"},
        {"queue_name": "x" * 200},
        {"task": "' OR 1=1 --"},
        {"queue_name": "%"},
        {"task": "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")},
    ],
)
def test_an_unknown_task_or_queue_is_an_empty_page(client: Client, query: Any) -> None:
    store(row(1))

    assert page(client, **query) == {"next": None, "previous": None, "results": []}


def test_the_window_of_time_includes_its_start_and_not_its_end(client: Client) -> None:
    store(*(row(number) for number in range(6)))
    moments = [(NOON + timedelta(milliseconds=number)).isoformat() for number in range(6)]

    assert numbers(page(client, enqueued_after=moments[2])) == [5, 4, 3, 2]
    assert numbers(page(client, enqueued_before=moments[2])) == [1, 0]
    window = {"enqueued_after": moments[1], "enqueued_before": moments[4]}
    assert numbers(page(client, **window)) == [3, 2, 1]
    assert numbers(page(client, **window | {"enqueued_before": moments[1]})) == []
    assert list(walk(client, page_size=1, **window)) == [[3], [2], [1]]


def test_the_window_is_exact_to_the_microsecond_of_enqueued_at(client: Client) -> None:
    store(row(0))
    moment = NOON + timedelta(microseconds=123_457)
    DBTaskResult.objects.update(enqueued_at=moment)
    (task,) = page(client)["results"]
    assert task["enqueued_at"] == "2026-11-22T12:00:00.123457Z"

    later = (moment + timedelta(microseconds=1)).isoformat()
    assert numbers(page(client, enqueued_after=task["enqueued_at"])) == [0]
    assert numbers(page(client, enqueued_after=later)) == []
    assert numbers(page(client, enqueued_before=task["enqueued_at"])) == []
    assert numbers(page(client, enqueued_before=later)) == [0]


def test_a_task_that_waited_for_a_connection_is_found_by_its_column(client: Client) -> None:
    # The id is drawn before the row is written.
    store(row(0))
    DBTaskResult.objects.update(enqueued_at=NOON + timedelta(seconds=30))

    assert numbers(page(client, enqueued_after="2026-11-22T12:00:30Z")) == [0]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("0001-01-01T00:00:00Z", ([1], [])),
        ("1969-12-31T23:59:59Z", ([1], [])),
        ("9999-12-31T23:59:59.999999Z", ([], [1])),
        ("2026-11-22t13:00:00+01:00", ([1], [])),
        ("2026-11-22T12:00:00.001000999Z", ([1], [])),
    ],
)
def test_any_rfc_3339_moment_will_do(client: Client, moment: str, expected: Any) -> None:
    store(row(1))

    assert numbers(page(client, enqueued_after=moment)) == expected[0]
    assert numbers(page(client, enqueued_before=moment)) == expected[1]


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("status=ready", ["status"]),
        ("status=", ["status"]),
        ("status=READY&status=DONE", ["status"]),
        ("status=READY,FAILED", ["status"]),
        ("page_size=0", ["page_size"]),
        ("page_size=201", ["page_size"]),
        ("page_size=-1", ["page_size"]),
        ("page_size=1e2", ["page_size"]),
        ("page_size=%2B5", ["page_size"]),
        ("page_size=1_0", ["page_size"]),
        ("page_size=", ["page_size"]),
        ("page_size=%D9%A5", ["page_size"]),
        ("page_size=" + "9" * 5000, ["page_size"]),
        ("page_size=5&page_size=5", ["page_size"]),
        ("enqueued_after=2026-11-22", ["enqueued_after"]),
        ("enqueued_after=2026-11-22T12:00:00", ["enqueued_after"]),
        ("enqueued_after=2026-02-30T12:00:00Z", ["enqueued_after"]),
        ("enqueued_after=2026-11-22T12:00:00+01:00", ["enqueued_after"]),
        ("enqueued_before=now", ["enqueued_before"]),
        ("enqueued_before=1700000000", ["enqueued_before"]),
        ("enqueued_before=0001-01-01T00:00:00%2B01:00", ["enqueued_before"]),
        ("task=a&task=b", ["task"]),
        ("queue_name=a&queue_name=a", ["queue_name"]),
        ("task=a%00", ["task"]),
        ("queue_name=%00", ["queue_name"]),
        ("id=%00", ["id"]),
        ("Status=READY", ["Status"]),
        ("limit=5&offset=3", ["limit", "offset"]),
        ("format=json", ["format"]),
        ("status=no&page_size=no", ["status", "page_size"]),
        ("id=x&status=READY&page_size=5", ["status", "page_size"]),
        ("id=x&cursor=y", ["cursor"]),
    ],
)
def test_what_a_parameter_cannot_take_is_refused(
    client: Client, query: str, parameters: list[str]
) -> None:
    problem = assert_problem(client.get(f"/tasks/?{query}"), 400, "invalid_request")

    assert [fault["parameter"] for fault in problem["errors"]] == parameters


def test_post_takes_none_of_these_parameters_and_options_ignores_them(client: Client) -> None:
    assert_problem(client.post("/tasks/?status=READY"), 400, "invalid_request")
    assert client.options("/tasks/?status=READY&page_size=5").status_code == 204


# Pages.


def test_pages_lead_to_each_other_both_ways(client: Client) -> None:
    store(*(row(number) for number in range(10)))
    first = page(client, page_size=4)
    second = page(client, first["next"])
    third = page(client, second["next"])

    assert [numbers(first), numbers(second), numbers(third)] == [
        [9, 8, 7, 6],
        [5, 4, 3, 2],
        [1, 0],
    ]
    assert (first["previous"], third["next"]) == (None, None)
    assert numbers(page(client, third["previous"])) == [5, 4, 3, 2]
    back = page(client, second["previous"])
    assert (numbers(back), back["previous"]) == ([9, 8, 7, 6], None)
    assert numbers(page(client, back["next"])) == [5, 4, 3, 2]


def test_the_link_header_says_what_the_body_says(client: Client) -> None:
    store(*(row(number) for number in range(3)))
    first = client.get("/tasks/?page_size=1")
    second = client.get(first.json()["next"])

    assert first.headers["Link"] == f'<{first.json()["next"]}>; rel="next"'
    assert second.headers["Link"] == (
        f'<{second.json()["next"]}>; rel="next", <{second.json()["previous"]}>; rel="prev"'
    )
    assert "Link" not in client.get("/tasks/").headers
    assert client.head("/tasks/?page_size=1").headers["Link"] == first.headers["Link"]


def test_a_page_has_fifty_tasks_unless_told_and_at_most_two_hundred(client: Client) -> None:
    store(*(row(number) for number in range(201)))

    assert [len(one) for one in walk(client)] == [50, 50, 50, 50, 1]
    assert [len(one) for one in walk(client, page_size=200)] == [200, 1]


def test_next_keeps_the_filters_and_the_size(client: Client) -> None:
    store(*(row(number, status="READY" if number % 2 else "FAILED") for number in range(9)))
    query = {"status": ["READY", "FAILED"], "task": "tests.tasks.echo", "page_size": 2}
    following = urlsplit(page(client, **query)["next"])

    assert following.path == "/tasks/"
    parameters = parse_qs(following.query)
    assert parameters.pop("cursor")
    assert parameters == {
        "status": ["READY", "FAILED"],
        "task": ["tests.tasks.echo"],
        "page_size": ["2"],
    }
    assert list(walk(client, status="READY", page_size=2)) == [[7, 5], [3, 1]]


def test_the_form_without_the_slash_lists_too(client: Client) -> None:
    store(row(1), row(2))
    answer = page(client, "/tasks", page_size=1)

    assert numbers(page(client, answer["next"])) == [1]


def test_tasks_of_one_millisecond_are_each_listed_once(client: Client) -> None:
    store(*(row(0, random=random, status="READY") for random in (5, 1, 4, 2, 3, 0)))
    seen: list[str] = []
    url: str | None = "/tasks/?page_size=2"
    while url:
        answer = page(client, url)
        seen += [task["id"] for task in answer["results"]]
        url = answer["next"]

    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 6


@settings(deadline=None, max_examples=30)
@given(
    stored=st.sets(st.integers(0, 40), max_size=25),
    page_size=st.integers(1, 7),
    added=st.lists(st.sets(st.integers(41, 99), max_size=3), max_size=5),
)
def test_what_is_enqueued_during_a_walk_shifts_nothing(
    stored: set[int], page_size: int, added: list[set[int]]
) -> None:
    DBTaskResult.objects.all().delete()
    store(*(row(number) for number in stored))
    client, newer = owners_client(), iter(added)
    url: str | None = f"/tasks/?page_size={page_size}"
    seen: list[int] = []
    urls = []
    while url:
        answer = page(client, url)
        seen += numbers(answer)
        urls.append(url)
        DBTaskResult.objects.bulk_create(
            [row(number, random=len(urls)) for number in next(newer, ())]
        )
        url = answer["next"]

    assert seen == sorted(stored, reverse=True)


def test_a_walk_over_a_service_that_enqueues_meanwhile_shows_each_task_once(
    service: LiveService,
) -> None:
    call = {"task": "tests.tasks.return_null", "run_after": "2100-01-01T00:00:00Z"}
    known = [service.post("/tasks/", call).json()["id"] for _ in range(12)]
    stop = threading.Event()

    def enqueue() -> None:
        while not stop.is_set():
            service.post("/tasks/", call)

    threads = [threading.Thread(target=enqueue) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        seen = []
        url = "/tasks/?page_size=5"
        while url and not set(known) <= set(seen):
            answer = service.get(url).json()
            seen += [task["id"] for task in answer["results"]]
            url = answer["next"]
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert set(known) <= set(seen)
    assert len(set(seen)) == len(seen)


def test_tasks_that_vanish_leave_the_way_back_and_forth(client: Client) -> None:
    store(*(row(number) for number in range(6)))
    first = page(client, page_size=2)
    second = page(client, first["next"])
    DBTaskResult.objects.filter(id__gt=row(1).id).delete()

    back = page(client, second["previous"])
    assert (numbers(back), back["previous"]) == ([], None)
    assert numbers(page(client, back["next"])) == [1, 0]
    assert numbers(page(client, first["next"])) == [1, 0]


def test_a_task_that_stops_matching_is_not_shown_as_if_it_did(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(row(1), row(2))
    sizes = keyset._sizes

    def and_then_one_runs(rows: Any) -> Any:
        found = sizes(rows)
        DBTaskResult.objects.filter(pk=row(1).pk).update(status="RUNNING")
        return found

    monkeypatch.setattr(keyset, "_sizes", and_then_one_runs)

    assert numbers(page(client, status="READY")) == [2]


def test_a_task_that_goes_on_to_another_status_meanwhile_is_shown_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(row(1), row(2), row(3))
    sizes = keyset._sizes

    def and_then_one_runs(rows: Any) -> Any:
        found = sizes(rows)
        DBTaskResult.objects.filter(pk=row(2).pk).update(status="RUNNING")
        return found

    monkeypatch.setattr(keyset, "_sizes", and_then_one_runs)

    assert numbers(page(client, queue_name="default")) == [3, 2, 1]
    assert numbers(page(client, status=["RUNNING", "READY"])) == [3, 2, 1]


@settings(deadline=None, max_examples=40)
@given(
    stored=st.lists(
        st.tuples(st.sampled_from(STATUSES), st.sampled_from(["default", "emails"])), max_size=20
    ),
    statuses=st.sets(st.sampled_from(STATUSES)),
    queue_name=st.sampled_from([None, "default", "emails", "default READY"]),
    task=st.sampled_from([None, "tests.tasks.echo"]),
    page_size=st.integers(1, 5),
)
def test_a_walk_shows_what_matches_each_once_there_and_back(
    stored: list[tuple[str, str]],
    statuses: set[str],
    queue_name: str | None,
    task: str | None,
    page_size: int,
) -> None:
    DBTaskResult.objects.all().delete()
    store(
        *(
            row(number, status=status, queue_name=queue)
            for number, (status, queue) in enumerate(stored)
        )
    )
    matching = [
        number
        for number, (status, queue) in enumerate(stored)
        if status in (statuses or STATUSES) and queue_name in {None, queue}
    ][::-1]
    client = owners_client()
    query = {"status": sorted(statuses), "queue_name": queue_name, "task": task}
    given = {name: value for name, value in query.items() if value}

    answer = page(client, **given, page_size=page_size)
    seen = numbers(answer)
    while answer["next"]:
        answer = page(client, answer["next"])
        seen += numbers(answer)
    assert seen == matching
    back = numbers(answer)
    while answer["previous"]:
        answer = page(client, answer["previous"])
        back = numbers(answer) + back
    assert back == matching


# What a page costs.


def test_nothing_is_counted_and_a_page_is_a_few_queries(client: Client) -> None:
    store(*(row(number) for number in range(60)))
    with CaptureQueriesContext(connection) as plain:
        page(client)
    with CaptureQueriesContext(connection) as filtered:
        page(client, status="READY", enqueued_after="2026-11-22T12:00:00Z")

    assert len(plain) == 2
    assert len(filtered) == 3
    for query in [*plain.captured_queries, *filtered.captured_queries]:
        assert query["sql"].startswith("SELECT")
        assert "COUNT(" not in query["sql"].upper()
        assert "LIMIT" in query["sql"] or " IN (" in query["sql"]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "FAILED"},
        {"status": ["FAILED", "RUNNING"]},
        {"queue_name": "rare"},
        {"queue_name": "rare", "status": "FAILED"},
    ],
)
def test_what_is_rare_is_found_at_once(
    client: Client, query: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "MAX_EXAMINED", 4)
    rare = {"status": "FAILED", "queue_name": "rare"}
    store(*(row(number, **(rare if number < 2 else {})) for number in range(30)))

    assert list(walk(client, **query)) == [[1, 0]]
    assert list(walk(client, status="RUNNING")) == [[]]


def test_a_page_looks_at_a_bounded_number_of_rows(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "MAX_EXAMINED", 4)
    store(
        *(row(number, task_path="rare" if number in {0, 7} else "common") for number in range(11))
    )

    assert list(walk(client, task="rare")) == [[7], [], [0]]
    empty = page(client, page(client, task="rare")["next"])
    assert numbers(page(client, empty["previous"])) == [7]
    assert list(walk(client, task="none")) == [[], [], []]


def test_a_walk_back_looks_at_a_bounded_number_of_rows_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(
        *(row(number, task_path="rare" if number in {0, 10} else "common") for number in range(11))
    )
    monkeypatch.setattr(keyset, "MAX_EXAMINED", 4)
    answer = page(client, task="rare")
    while answer["next"]:
        answer = page(client, answer["next"])
    assert numbers(answer) == [0]
    pages = []
    while answer["previous"]:
        answer = page(client, answer["previous"])
        pages.append(numbers(answer))

    assert pages == [[], [10], []]


def test_a_page_ends_early_at_four_mebibytes(client: Client) -> None:
    store(
        *(
            row(number, args_kwargs={"args": [number, "x" * 1_000_000], "kwargs": {}})
            for number in range(9)
        )
    )
    sizes = []
    url: str | None = "/tasks/"
    seen = []
    while url:
        response = client.get(url)
        sizes.append(len(response.content))
        seen += numbers(response.json())
        last, url = response.json(), response.json()["next"]

    assert seen == list(range(9))[::-1]
    assert len(sizes) == 3
    assert max(sizes) <= 4 * 1024 * 1024
    back = page(client, last["previous"])
    assert numbers(back) == [4, 3, 2, 1]
    assert numbers(page(client, back["previous"])) == [8, 7, 6, 5]


@pytest.mark.parametrize("text", ["\x01", "é", "€", "😀", '"'])
def test_the_end_of_a_page_is_measured_as_it_is_spelled(client: Client, text: str) -> None:
    failed = {"status": "FAILED", "traceback": text * 700_000, "exception_class_path": "a.B"}
    store(*(row(number, **failed) for number in range(4)))
    response = client.get("/tasks/")

    assert len(response.content) <= 4 * 1024 * 1024 or len(response.json()["results"]) == 1
    assert [number for one in walk(client) for number in one] == [3, 2, 1, 0]


def test_a_task_larger_than_a_page_is_a_page_of_its_own(client: Client) -> None:
    large = {"status": "SUCCESSFUL", "return_value": "x" * (5 * 1024 * 1024)}
    store(row(1), row(2, **large), row(3, **large), row(4))

    assert list(walk(client)) == [[4], [3], [2], [1]]


def test_large_rows_are_loaded_a_portion_at_a_time(client: Client) -> None:
    store(
        *(
            row(number, args_kwargs={"args": [number, "x" * 900_000], "kwargs": {}})
            for number in range(20)
        )
    )
    with CaptureQueriesContext(connection) as queries:
        assert numbers(page(client)) == [19, 18, 17, 16]

    # The sizes, a query for each row of the page, and one for the row that found no room.
    assert len(queries) == 6


# Cursors.


def first_cursor(client: Client, **query: Any) -> str:
    following = page(client, **query, page_size=1)["next"]
    cursor: str = parse_qs(urlsplit(following).query)["cursor"][0]
    return cursor


def test_a_cursor_says_nothing_to_its_reader_and_needs_no_escapes(client: Client) -> None:
    store(row(1), row(2))
    cursor = first_cursor(client)

    assert urlencode({"cursor": cursor}) == f"cursor={cursor}"
    assert str(row(2).id) not in cursor


def test_a_cursor_holds_for_its_filters_alone(client: Client) -> None:
    store(row(1), row(2))
    cursor = first_cursor(client, status="READY", enqueued_after="2026-11-22T12:00:00Z")
    right = {"status": "READY", "enqueued_after": "2026-11-22T12:00:00Z", "cursor": cursor}

    assert numbers(page(client, **right)) == [1]
    # The same filters otherwise spelled, and another size of the page, are the same list.
    assert numbers(page(client, **right | {"enqueued_after": "2026-11-22T13:00:00+01:00"})) == [1]
    assert numbers(page(client, **right, page_size=7)) == [1]
    for wrong in (
        {"cursor": cursor},
        right | {"status": ["READY", "FAILED"]},
        right | {"enqueued_after": "2026-11-22T12:00:00.000001Z"},
        right | {"queue_name": "default"},
        {"status": "READY", "enqueued_before": "2026-11-22T12:00:00Z", "cursor": cursor},
    ):
        response = client.get(f"/tasks/?{urlencode(wrong, doseq=True)}")
        problem = assert_problem(response, 400, "invalid_cursor")
        assert [fault["parameter"] for fault in problem["errors"]] == ["cursor"]


def test_a_cursor_of_another_secret_is_refused_and_of_a_former_one_taken(client: Client) -> None:
    store(row(1), row(2))
    cursor = first_cursor(client)

    with override_settings(SECRET_KEY="another"):
        assert_problem(client.get(f"/tasks/?cursor={cursor}"), 400, "invalid_cursor")
    with override_settings(
        SECRET_KEY="another", SECRET_KEY_FALLBACKS=["only-for-tests-which-everybody-may-read"]
    ):
        assert numbers(page(client, cursor=cursor)) == [1]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_cursor_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    DBTaskResult.objects.all().delete()
    store(row(1), row(2))
    client = owners_client()
    cursor = first_cursor(client)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.text(max_size=2).filter(lambda text: text != cursor[place]))

    response = client.get("/tasks/", {"cursor": cursor[:place] + other + cursor[place + 1 :]})
    code = "invalid_request" if "\0" in other else "invalid_cursor"
    assert_problem(response, 400, code)


@pytest.mark.parametrize("cursor", ["", ".", "x", "PDA.", ".x", "a.b.c", "é.ü", "x" * 5000, "%FF"])
def test_what_was_never_a_cursor_is_refused(client: Client, cursor: str) -> None:
    assert_problem(client.get("/tasks/", {"cursor": cursor}), 400, "invalid_cursor")


# Many tasks by their ids.


def test_tasks_are_read_by_their_ids_in_one_request(client: Client) -> None:
    store(*(row(number) for number in range(8)))
    wanted = [str(row(number).id) for number in (3, 5, 1)]
    strangers = ["x", "", str(uuid.uuid4()), str(row(4).id).replace("-", ""), f"{{{row(4).id}}}"]
    with CaptureQueriesContext(connection) as queries:
        answer = page(client, id=[*wanted, *wanted, *strangers])

    assert numbers(answer) == [5, 3, 1]
    assert (answer["next"], answer["previous"]) == (None, None)
    assert len(queries) == 2
    assert page(client, id=strangers) == {"next": None, "previous": None, "results": []}


def test_a_hundred_ids_are_read_and_no_more(client: Client) -> None:
    store(*(row(number) for number in range(101)))
    identifiers = [str(row(number).id) for number in range(101)]

    assert len(page(client, id=identifiers[:100])["results"]) == 100
    problem = assert_problem(client.get("/tasks/", {"id": identifiers}), 400, "invalid_request")
    assert [fault["parameter"] for fault in problem["errors"]] == ["id"]


def test_ids_that_find_no_room_on_a_page_are_what_next_asks_for(client: Client) -> None:
    args = "x" * 1_000_000
    store(*(row(number, args_kwargs={"args": [number, args], "kwargs": {}}) for number in range(9)))
    identifiers = [str(row(number).id) for number in range(9)]

    pages = list(walk(client, id=identifiers))
    assert pages == [[8, 7, 6, 5], [4, 3, 2, 1], [0]]
    answer = client.get("/tasks/", {"id": identifiers})
    assert answer.headers["Link"] == f'<{answer.json()["next"]}>; rel="next"'


def test_a_hundred_ids_fit_into_the_request_line(service: LiveService) -> None:
    call = {"task": "tests.tasks.return_null"}
    identifiers = [service.post("/tasks/", call).json()["id"] for _ in range(100)]
    response = service.get(f"/tasks/?{urlencode({'id': identifiers}, doseq=True)}")

    assert sorted(task["id"] for task in response.json()["results"]) == sorted(identifiers)


# Time zones.


def test_a_project_without_time_zones_is_asked_in_its_local_time(client: Client) -> None:
    with override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin"):
        with on_behalf_of(owner()):
            identifier = echo.enqueue().id
        (task,) = page(client)["results"]
        now = datetime.now(UTC)
        assert abs(datetime.fromisoformat(task["enqueued_at"]) - now) < timedelta(minutes=1)

        after = (now - timedelta(minutes=5)).isoformat()
        before = (now + timedelta(minutes=5)).isoformat()
        window = {"enqueued_after": after, "enqueued_before": before}
        assert [one["id"] for one in page(client, **window)["results"]] == [identifier]
        assert page(client, enqueued_before=after)["results"] == []
        assert page(client, enqueued_after=before)["results"] == []
        for edge in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            assert client.get("/tasks/", {"enqueued_after": edge}).status_code == 200
    timezone.deactivate()
