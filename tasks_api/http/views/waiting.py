"""Answers that wait for a task's end, as `Prefer: wait` asks (RFC 7240)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from tasks_api.backends import Adapter, StoredTask
from tasks_api.http.holding.hold import Hold, Known, has_thread, holds_of
from tasks_api.http.holding.places import places
from tasks_api.http.openapi.operation import header_parameter
from tasks_api.http.protocol import request_id
from tasks_api.http.protocol.preferences import APPLIED, wait_seconds
from tasks_api.http.views.resource import Resource
from tasks_api.models import Scope
from tasks_api.results.reading import read
from tasks_api.results.watches import Appearance, Awaited

PREFER = header_parameter(
    "Prefer",
    "`wait=N`: answer when the task is finished, or after N seconds (RFC 7240).",
    {"type": "string", "examples": ["wait=10"]},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAnswer:
    """
    An answer with a task that may be waited for.

    Attributes:
        adapter: None if the task cannot be read again.
        render: makes it, from the view, the request and the task as it is then.
        seen: if it is given, a change since then is waited for, not only the task's end.
        is_kept: whether the answer of before the wait will do if the task has gone, or cannot be read, after it.

    """

    adapter: Adapter | None
    task: StoredTask
    render: Callable[[Any, HttpRequest, StoredTask], HttpResponse]
    seen: Appearance | None = None
    is_kept: bool = False


def answer_later(view: Resource, request: HttpRequest, answer: WaitingAnswer) -> HttpResponse:
    """
    Answer when the task is finished or has changed, if the client prefers to wait for that.

    Where there is nothing to wait for, or no place is left, it is answered now.
    """
    adapter, task = answer.adapter, answer.task
    response = answer.render(view, request, task)
    seconds = wait_seconds(request)
    if seconds is None or adapter is None:
        return response
    if not (adapter.keeps_results and view.caller.may(Scope.READ)):
        return response
    has_changed = answer.seen is not None and response.status_code == HTTPStatus.OK
    if task.is_finished or has_changed or seconds == 0:
        return _applied(response, seconds)
    holds = holds_of(request)
    can_wait = holds is not None or has_thread(request)
    kept = len(response.content) if answer.is_kept else 0
    place = places.take(view.caller.number, kept=kept) if can_wait else None
    if place is None:
        return response
    _applied(response, seconds)
    hold = Hold(
        place=place,
        awaited=Awaited(adapter=adapter, task_id=task.id, caller=view.caller, seen=answer.seen),
        seconds=seconds,
        answer=partial(_answer_now, task.id, answer.render, seconds),
        known=Known.of(response) if answer.is_kept else None,
        allowance=view.allowance,
        request_id=request_id.identify(request),
    )
    if holds is not None:
        holds.append(hold)
        return response
    hold.wait()
    return view.answer_held(request, hold)


def _answer_now(
    task_id: str,
    render: Callable[[Any, HttpRequest, StoredTask], HttpResponse],
    seconds: int,
    view: Resource,
    request: HttpRequest,
) -> HttpResponse:
    return _applied(render(view, request, read(task_id, view.caller)), seconds)


def _applied(response: HttpResponse, seconds: int) -> HttpResponse:
    response.headers[APPLIED] = f"wait={seconds}"
    return response
