"""`/tasks/`: enqueue tasks, read, list, cancel and retry them."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from django.http import QueryDict
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from tasks_api.backends import StoredTask
from tasks_api.calls.batch import LEVELS_OF_A_BATCH, MEMBER, calls_of, items_of
from tasks_api.calls.call import Call
from tasks_api.calls.enqueueing import Order
from tasks_api.calls.idempotency import KeyedRequest, enqueue_once
from tasks_api.calls.retrying import call_again
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import owner_of_task
from tasks_api.faults import json_pointer
from tasks_api.http.access.listed_owner import listed_owner
from tasks_api.http.openapi.operations import tasks as operations
from tasks_api.http.protocol.conditional import entity_tag, is_current
from tasks_api.http.protocol.idempotency_key import idempotency_key
from tasks_api.http.protocol.links import absolute_url
from tasks_api.http.protocol.list_query import ListQuery, continued, narrowed
from tasks_api.http.protocol.streaming import streamed
from tasks_api.http.protocol.strict_json import read_json, read_nothing
from tasks_api.http.views.resource import Resource
from tasks_api.problems import NotFound
from tasks_api.results.cancelling import cancel
from tasks_api.results.listing import page_of, some_of
from tasks_api.results.reading import find, read, read_several
from tasks_api.results.representation import (
    TaskBatchRepresentation,
    TaskListRepresentation,
    TaskRepresentation,
    represent,
    sees_tracebacks,
)

MAX_RETRY_AFTER_SECONDS = 60


class TaskViewSet(Resource, ViewSet):
    """Executions of tasks."""

    @operations.ENQUEUE_TASK
    def create(self, request: Request) -> Response:
        body = read_json(request._request)
        return self._enqueue(
            request,
            self._keyed(request, body),
            lambda: Order(calls=[Call.from_json(body, self.caller)], owner=self.caller.number),
        )

    @operations.ENQUEUE_BATCH
    def create_batch(self, request: Request) -> HttpResponseBase:
        body = read_json(request._request, nested_in=LEVELS_OF_A_BATCH)
        keyed = self._keyed(request, body)
        items = items_of(body)
        self.spend_more(len(items) - 1, pointer=json_pointer(MEMBER))

        def checked() -> Order:
            calls = calls_of(items, self.caller)
            return Order(calls=calls, owner=self.caller.number, is_batch=True)

        if keyed is None:
            return self._answer_batch(request, checked().enqueue())
        outcome = enqueue_once(keyed, checked)
        if not outcome.is_replay:
            return self._answer_batch(request, outcome.stored)
        tasks_now = chain(outcome.stored, read_several(outcome.identifiers, self.caller))
        representations = (_represent(request, task, self.caller) for task in tasks_now)
        return _replayed(streamed(representations, request, status=202))

    @operations.CANCEL_TASK
    def cancel(self, request: Request, task_id: str) -> Response:
        read_nothing(request._request)
        return self._answer(request, cancel(task_id, self.caller), status=200)

    @operations.RETRY_TASK
    def retry(self, request: Request, task_id: str) -> Response:
        read_nothing(request._request)

        def checked() -> Order:
            adapter, task = find(task_id, self.caller)
            call = call_again(task, self.caller)
            return Order(calls=[call], owner=owner_of_task(adapter, task_id))

        return self._enqueue(request, self._keyed(request, None), checked)

    def _keyed(self, request: Request, body: Any) -> KeyedRequest | None:
        key = idempotency_key(request)
        if key is None:
            return None
        return KeyedRequest.of(self.caller.number, key, method="POST", path=request.path, body=body)

    def _enqueue(
        self, request: Request, keyed: KeyedRequest | None, checked: Callable[[], Order]
    ) -> Response:
        if keyed is None:
            return self._answer_enqueued(request, checked().enqueue()[0])
        outcome = enqueue_once(keyed, checked)
        stored = outcome.stored or [_replayed_task(outcome.identifiers[0], self.caller)]
        response = self._answer_enqueued(request, stored[0])
        return _replayed(response) if outcome.is_replay else response

    def _answer_batch(self, request: Request, tasks: Sequence[StoredTask]) -> Response:
        batch: TaskBatchRepresentation = {
            "results": [_represent(request, task, self.caller) for task in tasks]
        }
        return Response(batch, status=202)

    @operations.LIST_TASKS
    def list(self, request: Request) -> Response:
        parameters = request._request.GET
        owner = listed_owner(parameters, self.caller)
        query = ListQuery.of(parameters, owner=owner)
        if query.ids:
            tasks, rest = some_of(query.ids, self.caller)
            neighbours = {"next": narrowed(parameters, rest) if rest else None}
            return _page(request, tasks, neighbours, self.caller)
        page = page_of(query.selection, query.start, owner=owner, page_size=query.page_size)
        neighbours = {
            name: continued(parameters, query, position, owner=owner) if position else None
            for name, position in (("next", page.next), ("previous", page.previous))
        }
        return _page(request, page.tasks, neighbours, self.caller)

    @operations.GET_TASK
    def retrieve(self, request: Request, task_id: str) -> Response:
        task = read(task_id, self.caller)
        tag = entity_tag(task)
        if is_current(request, tag):
            response = Response(status=304, headers=_polling_hint(task))
        else:
            response = self._answer(request, task, status=200)
        response.headers["ETag"] = tag
        return response

    def _answer_enqueued(self, request: Request, task: StoredTask) -> Response:
        response = self._answer(request, task, status=200 if task.is_finished else 202)
        response.headers["Location"] = response.data["url"]
        return response

    def _answer(self, request: Request, task: StoredTask, *, status: int) -> Response:
        representation = _represent(request, task, self.caller)
        return Response(representation, status=status, headers=_polling_hint(task))


def _page(
    request: Request,
    tasks: list[StoredTask],
    neighbours: dict[str, QueryDict | None],
    reader: Caller,
) -> Response:
    """Answer with tasks and with links to the neighbouring pages (RFC 8288), given their queries."""
    address = absolute_url(request, "tasks")
    url = {name: f"{address}?{query.urlencode()}" for name, query in neighbours.items() if query}
    page: TaskListRepresentation = {
        "next": url.get("next"),
        "previous": url.get("previous"),
        "results": [_represent(request, task, reader) for task in tasks],
    }
    relations = {"next": "next", "previous": "prev"}
    links = [f'<{target}>; rel="{relations[name]}"' for name, target in url.items()]
    return Response(page, headers={"Link": ", ".join(links)} if links else None)


def _represent(request: Request, task: StoredTask, reader: Caller) -> TaskRepresentation:
    url = absolute_url(request, "task", task.id)
    return represent(task, url=url, with_tracebacks=sees_tracebacks(reader))


def _replayed_task(identifier: str, reader: Caller) -> StoredTask:
    try:
        return read(identifier, reader)
    except NotFound:
        detail = "The task of the first request with this key has been removed; there is no other."
        raise NotFound(detail, headers={"Idempotent-Replayed": "true"}) from None


def _replayed[Answer: HttpResponseBase](response: Answer) -> Answer:
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _polling_hint(task: StoredTask) -> dict[str, str]:
    """Say when to ask again, in whole seconds; a finished task has no such moment."""
    if task.is_finished:
        return {}
    seconds: Any = 1
    if task.run_after is not None:
        seconds = math.ceil((task.run_after - datetime.now(UTC)).total_seconds())
    return {"Retry-After": str(min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS))}
