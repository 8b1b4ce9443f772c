"""`/tasks/`: enqueue a task, list tasks."""

from collections.abc import Iterable, Iterator

from django.http import HttpRequest, HttpResponse, QueryDict
from rest_framework.viewsets import ViewSet

from tasks_api import problems
from tasks_api.backends import StoredTask
from tasks_api.backends.list_filters import list_filters
from tasks_api.calls.checking import check_call
from tasks_api.http.access.listed_owner import listed_owner
from tasks_api.http.openapi.operation import CALL, Answer, Operation, query_parameter
from tasks_api.http.protocol.links import absolute_url
from tasks_api.http.protocol.list_query import (
    DEFAULT_PAGE_SIZE,
    MAX_IDS,
    MAX_PAGE_SIZE,
    STATUSES,
    ListQuery,
    continued,
    narrowed,
)
from tasks_api.http.protocol.page import page_response
from tasks_api.http.protocol.strict_json import read_json
from tasks_api.http.views.enqueueing import (
    ENQUEUED,
    ENQUEUEING,
    IDEMPOTENCY_KEY,
    enqueue_and_answer,
)
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.task_json import encoded
from tasks_api.http.views.waiting import PREFER
from tasks_api.models import Scope
from tasks_api.outcomes import OUTCOMES
from tasks_api.results.listing import page_of, some_of
from tasks_api.results.representation import TaskListRepresentation


class TaskListViewSet(Resource, ViewSet):
    """Executions of tasks."""

    tag = "tasks"

    @Operation(
        "enqueue_task",
        scope=Scope.ENQUEUE,
        answers=ENQUEUED,
        # 404: the task of the first request with the same key may have been removed.
        problems=(*ENQUEUEING, problems.NotFound),
        parameters=(IDEMPOTENCY_KEY, PREFER),
        body=CALL,
    )
    def create(self, request: HttpRequest) -> HttpResponse:
        """
        Enqueue a task.

        Checks the call against the signature of the task's function and stores it. Arguments can
        also be passed by position, in `args`.
        """
        body = read_json(request)
        return enqueue_and_answer(self, request, body, lambda: check_call(body, self.caller))

    @Operation(
        "list_tasks",
        scope=Scope.READ,
        answers={
            200: Answer(
                description="A page of tasks.",
                representation=TaskListRepresentation,
                headers=("Link",),
            ),
        },
        problems=(
            problems.InvalidCursor,
            problems.ListingNotSupported,
        ),
        parameters=(
            query_parameter(
                "status",
                "A status to list; can be repeated.",
                {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
            ),
            *(
                query_parameter(one.name, one.description, dict(one.schema))
                for one in list_filters.values()
            ),
            query_parameter("queue_name", "The name of a queue."),
            query_parameter(
                "enqueued_after",
                "Only tasks enqueued at or after this time.",
                {"type": "string", "format": "date-time"},
            ),
            query_parameter(
                "enqueued_before",
                "Only tasks enqueued before this time.",
                {"type": "string", "format": "date-time"},
            ),
            query_parameter(
                "page_size",
                f"The maximum number of tasks on a page; default: {DEFAULT_PAGE_SIZE}.",
                {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_PAGE_SIZE},
            ),
            query_parameter(
                "cursor",
                "The start of the page: a cursor from `next` or `previous`, with the same filters.",
            ),
            query_parameter(
                "client",
                "For an admin: the name of the client whose tasks to list; `project` for those of "
                "the project's own code.",
            ),
            query_parameter(
                "id",
                "The id of a task to read; can be repeated, but not combined with other parameters.",
                {"type": "array", "items": {"type": "string"}, "maxItems": MAX_IDS},
            ),
            # Last, as it is the newest: clients of some generators pass parameters by their position.
            query_parameter(
                "outcome",
                "An outcome to list; can be repeated. Tasks that are not finished have none.",
                {"type": "array", "items": {"type": "string", "enum": list(OUTCOMES)}},
            ),
        ),
    )
    def list(self, request: HttpRequest) -> HttpResponse:
        """
        List tasks.

        Answers with a page of tasks, newest first; `next` and `previous` are the URLs of the
        adjacent pages. New tasks do not shift pages. A page of filtered tasks can be short or empty
        and still have a next page: the number of tasks examined for one page is limited. With `id`,
        answers with these tasks, as far as they exist and fit on a page; `next` has the others.
        """
        parameters = request.GET
        owner = listed_owner(parameters, self.caller)
        query = ListQuery.of(parameters, owner=owner)

        def encode(tasks: Iterable[StoredTask]) -> Iterator[tuple[StoredTask, bytes]]:
            return encoded(tasks, request, self.caller)

        adjacent: dict[str, QueryDict] = {}
        if query.ids:
            tasks, rest = some_of(query.ids, self.caller, encode)
            if rest:
                adjacent["next"] = narrowed(parameters, rest)
        else:
            page = page_of(
                query.selection, query.start, owner=owner, page_size=query.page_size, encode=encode
            )
            tasks = page.tasks
            for name, position in (("next", page.next), ("previous", page.previous)):
                if position is not None:
                    adjacent[name] = continued(parameters, query, position, owner=owner)
        return page_response(tasks, absolute_url(request, "tasks"), adjacent)
