"""`/tasks/{id}/events/`: the events about a task while it changes."""

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.debug import sensitive_variables
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.backends import Adapter, StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.faults import Fault
from tasks_api.http.access.task_tokens import PREFIX
from tasks_api.http.holding.hold import has_thread, holds_of
from tasks_api.http.holding.places import Place, places
from tasks_api.http.holding.stream import Parts, Shown, Stream, last_events
from tasks_api.http.openapi.operation import Answer, Operation, header_parameter, query_parameter
from tasks_api.http.protocol.conditional import state_tag
from tasks_api.http.protocol.event_stream import MEDIA_TYPE, OpenResponse
from tasks_api.http.protocol.links import task_url
from tasks_api.http.protocol.responses import empty_response
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.task import TASK_ID
from tasks_api.json_text import json_bytes
from tasks_api.models import Scope
from tasks_api.problems import InvalidRequest, TooManyStreams
from tasks_api.results.members import members_of
from tasks_api.results.reading import find
from tasks_api.results.representation import represent
from tasks_api.results.watches import Awaited, appearance_of

TOKEN = "token"  # noqa: S105 -- the name of a parameter
_WHOLE_URLS = {"RAW_URI", "REQUEST_URI"}
"""The variables in which WSGI servers say what was asked for, with the query."""

RETRY_AFTER_SECONDS = "5"
HEADERS = {
    "Content-Type": MEDIA_TYPE,
    # Proxies such as nginx would wait for more before they pass an event on.
    "X-Accel-Buffering": "no",
}


class TaskEventViewSet(Resource, ViewSet):
    """The changes of one execution of a task."""

    tag = "tasks"
    # Browsers ask for an event stream; problems are JSON all the same.
    accepts_anything = True

    def check_request(self, request: HttpRequest) -> None:
        if TOKEN in request.GET:
            _move_token_into_header(request)
        super().check_request(request)

    @Operation(
        "watch_task",
        scope=Scope.READ,
        takes_task_tokens=True,
        answers={
            200: Answer(
                description="A stream of server-sent events.",
                media_type=MEDIA_TYPE,
            ),
            204: Answer(description="The task is finished, and the client has seen that."),
        },
        problems=(problems.NotFound, problems.ResultsNotSupported, problems.TooManyStreams),
        parameters=(
            TASK_ID,
            header_parameter("Last-Event-ID", "The `id` of the last event that was received."),
            query_parameter(
                TOKEN, "A task token, for browsers, whose `EventSource` sends no header."
            ),
        ),
    )
    def list(self, request: HttpRequest, task_id: str) -> HttpResponseBase:
        """
        Watch a task.

        Answers with server-sent events: at once and after each change `event: task`, whose `data` is the task as
        JSON, and after the last one, when the task is finished, `event: end`. A comment every 15 seconds keeps the
        connection open. A stream that ends without `end` is to be continued with `Last-Event-ID`.
        """
        caller = self.caller
        adapter, task = find(task_id, caller)
        url = task_url(request, task.id)
        shown = _shown(adapter, task, caller, url)
        seen_tag = request.META.get("HTTP_LAST_EVENT_ID", "")
        if shown.is_finished and shown.tag == seen_tag:
            # A browser does not connect again then.
            return empty_response(status=204)
        if request.method == "HEAD":
            return OpenResponse(headers=HEADERS)
        # A middleware that compresses would keep events back.
        request.META.pop("HTTP_ACCEPT_ENCODING", None)
        if shown.is_finished:
            return HttpResponse(last_events(shown), headers=HEADERS)
        show = partial(_show, task.id, caller, url)
        stream = Stream(self._take_place(request), show, shown=shown, seen_tag=seen_tag)
        holds = holds_of(request)
        if holds is None:
            return StreamingHttpResponse(Parts(stream), headers=HEADERS)
        holds.append(stream)
        return OpenResponse(stream.first, headers=HEADERS)

    def _take_place(self, request: HttpRequest) -> Place:
        if holds_of(request) is not None or has_thread(request):
            place = places.take(self.caller.number, is_stream=True)
            if place is not None:
                return place
        raise TooManyStreams(headers={"Retry-After": RETRY_AFTER_SECONDS})


@sensitive_variables("tokens", "query")
def _move_token_into_header(request: HttpRequest) -> None:
    query: Any = request.GET.copy()
    tokens = query.pop(TOKEN)
    # Logs of servers and reports of errors show the query. Under WSGI this changes the server's own variables.
    request.GET = query
    request.META["QUERY_STRING"] = query.urlencode()
    for name in _WHOLE_URLS & request.META.keys():
        request.META[name] = request.META[name].partition("?")[0]
    if len(tokens) > 1:
        raise InvalidRequest(
            faults=[Fault("repeated_parameter", "Should occur only once.", parameter=TOKEN)]
        )
    if "HTTP_AUTHORIZATION" in request.META:
        raise _refused("Should not be sent together with `Authorization`.")
    if not tokens[0].startswith(PREFIX):
        # URLs are in the logs of proxies.
        raise _refused("Should be a task token; a key has no place in a URL.")
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {tokens[0]}"


def _refused(detail: str) -> InvalidRequest:
    return InvalidRequest(faults=[Fault("token", detail, parameter=TOKEN)])


def _show(task_id: str, caller: Caller, url: str) -> Shown:
    return _shown(*find(task_id, caller), caller, url)


def _shown(adapter: Adapter, task: StoredTask, caller: Caller, url: str) -> Shown:
    # Before the rest is read: what changes meanwhile has not been seen.
    seen = appearance_of(task)
    members = members_of([task], caller)[task.id]
    return Shown(
        tag=state_tag(task, members),
        data=json_bytes(represent(task, caller, url=url, members=members)),
        is_finished=task.is_finished,
        awaited=Awaited(adapter=adapter, task_id=task.id, caller=caller, seen=seen),
    )
