"""Common parts of the operations that enqueue: `POST /tasks/`, batches and retries."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from tasks_api import problems
from tasks_api.backends import Adapter, Call, StoredTask, adapter_for
from tasks_api.calls.enqueueing import enqueue
from tasks_api.calls.idempotency import Enqueued, KeyedRequest, enqueue_once
from tasks_api.clients.caller import Caller
from tasks_api.http.openapi.operation import READING_A_BODY, Answer, header_parameter
from tasks_api.http.protocol.idempotency_key import idempotency_key
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.task_json import polling_hint, represent_to
from tasks_api.http.views.waiting import WaitingAnswer, answer_later
from tasks_api.problems import NotFound
from tasks_api.results.members import members_of_new
from tasks_api.results.reading import find
from tasks_api.results.representation import TaskRepresentation

IDEMPOTENCY_KEY = header_parameter(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters, chosen by the client for each new request; bare or as a "
    "quoted string (RFC 8941). For 24 hours, the same request with the same key is answered with "
    "the first request's task and enqueues nothing.",
    {
        "type": "string",
        "pattern": r"""^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$""",
    },
)
ENQUEUEING = (
    *READING_A_BODY,
    problems.UnknownTask,
    problems.InvalidArguments,
    problems.NotSupportedByBackend,
    problems.IdempotencyInProgress,
    problems.IdempotencyKeyReused,
)
ENQUEUED = {
    202: Answer(
        description="The task is stored and will run.",
        representation=TaskRepresentation,
        headers=("Location", "Retry-After", "Idempotent-Replayed", "Preference-Applied"),
    ),
    200: Answer(
        description=(
            "The task is finished: the client has waited for it, its backend runs tasks immediately, or "
            "this is a replay."
        ),
        representation=TaskRepresentation,
        headers=("Location", "Idempotent-Replayed", "Preference-Applied"),
    ),
}
REPLAYED = {"Idempotent-Replayed": "true"}
"""Marks the replay of an earlier request with the same `Idempotency-Key`."""


def keyed_request(request: HttpRequest, caller: Caller, body: Any) -> KeyedRequest | None:
    """
    Return a request's `Idempotency-Key` with what it stands for; None if there is none.

    Raises:
        InvalidRequest: 400, the key is not valid.

    """
    key = idempotency_key(request)
    return None if key is None else KeyedRequest.of(caller.number, key, request.path, body)


def enqueue_and_answer(
    view: Resource, request: HttpRequest, body: Any, check: Callable[[], Call]
) -> HttpResponse:
    """Enqueue one call, only once for each `Idempotency-Key`, and answer with its task."""
    caller = view.caller
    keyed = keyed_request(request, caller, body)
    enqueued = enqueue_once(keyed, lambda: [check()], lambda calls: [enqueue(*calls)])
    adapter, task = _adapter_and_task(enqueued, caller)
    headers = {} if enqueued.replayed is None else REPLAYED

    def show(view: Resource, request: HttpRequest, task: StoredTask) -> HttpResponse:
        members = members_of_new([task], view.caller)[task.id]
        representation = represent_to(view.caller, request, task, members)
        return json_response(
            representation,
            status=200 if task.is_finished else 202,
            headers={"Location": representation["url"], **polling_hint(task), **headers},
        )

    # Kept, because the task is enqueued, whatever becomes of it and of the database.
    answer = WaitingAnswer(adapter=adapter, task=task, render=show, is_kept=True)
    return answer_later(view, request, answer)


def _adapter_and_task(enqueued: Enqueued, caller: Caller) -> tuple[Adapter | None, StoredTask]:
    """Return the one task, and the adapter by which it can be read again, if there is one."""
    if enqueued.replayed:
        try:
            return find(enqueued.replayed[0], caller)
        except NotFound:
            detail = "The task of the first request with this key has been removed."
            raise NotFound(detail, headers=REPLAYED) from None
    (task,) = enqueued.tasks
    # The backend of a replay may be gone from the settings.
    return adapter_for(task.backend) if enqueued.replayed is None else None, task
