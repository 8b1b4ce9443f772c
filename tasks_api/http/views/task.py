"""`/tasks/{id}/`: read, cancel and retry a task."""

from django.http import HttpRequest, HttpResponse
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.backends import Call, StoredTask
from tasks_api.calls.retrying import call_again
from tasks_api.clients.ownership import owner_of_task
from tasks_api.http.openapi.operation import (
    READING_A_BODY,
    Answer,
    Operation,
    header_parameter,
    path_parameter,
)
from tasks_api.http.protocol.conditional import entity_tag, is_current
from tasks_api.http.protocol.preferences import wait_seconds
from tasks_api.http.protocol.responses import empty_response, json_response
from tasks_api.http.protocol.strict_json import read_nothing
from tasks_api.http.views.enqueueing import ENQUEUED, IDEMPOTENCY_KEY, enqueue_and_answer
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.task_json import polling_hint, represent_to
from tasks_api.http.views.waiting import PREFER, WaitingAnswer, answer_later
from tasks_api.models import Scope
from tasks_api.results.cancelling import cancel
from tasks_api.results.members import members_of
from tasks_api.results.reading import find
from tasks_api.results.representation import TaskRepresentation
from tasks_api.results.watches import appearance_of

TASK_ID = path_parameter("task_id", "The `id` of the task.")


class TaskViewSet(Resource, ViewSet):
    """One execution of a task."""

    tag = "tasks"

    @Operation(
        "get_task",
        scope=Scope.READ,
        takes_task_tokens=True,
        answers={
            200: Answer(
                description="The task.",
                representation=TaskRepresentation,
                headers=("ETag", "Retry-After", "Preference-Applied"),
            ),
            304: Answer(
                description="The task has not changed since the answer with this `ETag`.",
                headers=("ETag", "Retry-After", "Preference-Applied"),
            ),
        },
        problems=(problems.NotFound, problems.ResultsNotSupported),
        parameters=(
            TASK_ID,
            header_parameter("If-None-Match", "The `ETag` of an earlier answer."),
            PREFER,
        ),
    )
    def retrieve(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """
        Read a task.

        Answers with the task in its current state. A failed task is not an HTTP error: its `errors`
        say why it failed. `Retry-After` says when to ask again. With `Prefer: wait=N` and `If-None-Match`,
        answers as soon as the task has changed.
        """
        adapter, task = find(task_id, self.caller)
        # Before the answer is made: what changes meanwhile has not been seen.
        seen = appearance_of(task) if _waits_for_change(request) else None
        answer = WaitingAnswer(adapter=adapter, task=task, render=TaskViewSet._show, seen=seen)
        return answer_later(self, request, answer)

    def _show(self, request: HttpRequest, task: StoredTask) -> HttpResponse:
        members = members_of([task], self.caller)[task.id]
        tag = entity_tag(task, members)
        headers = {"ETag": tag, **polling_hint(task)}
        if is_current(request, tag):
            return empty_response(status=304, headers=headers)
        return json_response(represent_to(self.caller, request, task, members), headers=headers)

    @Operation(
        "cancel_task",
        scope=Scope.CANCEL,
        answers={
            200: Answer(
                description="The task, cancelled; or finished, if the client has waited for its end.",
                representation=TaskRepresentation,
                headers=("Preference-Applied",),
            ),
            202: Answer(
                description="The task, which runs, and has been told to stop.",
                representation=TaskRepresentation,
                headers=("Retry-After", "Preference-Applied"),
            ),
        },
        problems=(
            *READING_A_BODY,
            problems.NotSupportedByBackend,
            problems.NotFound,
            problems.NotCancellable,
            problems.ResultsNotSupported,
        ),
        parameters=(TASK_ID, PREFER),
    )
    def cancel(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """
        Cancel a task.

        Ends a task that waits: it becomes FAILED, with `tasks_api.exceptions.TaskCancelled` in `errors`. A
        task that runs is told to stop, with 202, and ends in the same way, unless it has its own result
        first; with `Prefer: wait=N`, the answer is how it ended. A cancelled task stays as it is.
        """
        read_nothing(request)
        adapter, task = cancel(task_id, self.caller)
        answer = WaitingAnswer(
            adapter=adapter, task=task, render=TaskViewSet._show_cancelled, is_kept=True
        )
        return answer_later(self, request, answer)

    def _show_cancelled(self, request: HttpRequest, task: StoredTask) -> HttpResponse:
        members = members_of([task], self.caller)[task.id]
        representation = represent_to(self.caller, request, task, members)
        return json_response(
            representation, status=200 if task.is_finished else 202, headers=polling_hint(task)
        )

    @Operation(
        "retry_task",
        scope=Scope.ENQUEUE,
        answers=ENQUEUED,
        problems=(
            *READING_A_BODY,
            problems.UnknownTask,
            problems.InvalidArguments,
            problems.NotSupportedByBackend,
            problems.NotFound,
            problems.NotFinished,
            problems.IdempotencyInProgress,
            problems.IdempotencyKeyReused,
            problems.ResultsNotSupported,
        ),
        parameters=(TASK_ID, IDEMPOTENCY_KEY, PREFER),
    )
    def retry(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """
        Retry a task.

        Enqueues a new task with the type, arguments, queue, priority and owner of a finished one,
        to run as soon as possible. The arguments are checked against the current signature; the
        pointers of `errors` lead into the finished task.
        """
        read_nothing(request)

        def check() -> Call:
            adapter, task = find(task_id, self.caller)
            return call_again(task, self.caller, owner=owner_of_task(adapter, task.id))

        return enqueue_and_answer(self, request, None, check)


def _waits_for_change(request: HttpRequest) -> bool:
    return "HTTP_IF_NONE_MATCH" in request.META and wait_seconds(request) is not None
