"""`/tasks/batch/`: enqueue several tasks, or none of them."""

from itertools import chain

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.viewsets import ViewSet

from tasks_api.calls.batch import LEVELS_OF_A_BATCH, MEMBER, check_calls, items_of
from tasks_api.calls.enqueueing import enqueue_together
from tasks_api.calls.idempotency import enqueue_once
from tasks_api.faults import json_pointer
from tasks_api.http.openapi.operation import BATCH, Answer, Operation
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.protocol.streaming import streamed
from tasks_api.http.protocol.strict_json import read_json
from tasks_api.http.views.enqueueing import (
    ENQUEUEING,
    IDEMPOTENCY_KEY,
    REPLAYED,
    keyed_request,
)
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.task_json import encoded, represent_to
from tasks_api.models import Scope
from tasks_api.results.members import members_of_new
from tasks_api.results.reading import read_several
from tasks_api.results.representation import TaskBatchRepresentation


class BatchViewSet(Resource, ViewSet):
    """Several calls in one request."""

    tag = "tasks"

    @Operation(
        "enqueue_batch",
        scope=Scope.ENQUEUE,
        answers={
            202: Answer(
                description="The tasks, in the order of the request.",
                representation=TaskBatchRepresentation,
                headers=("Idempotent-Replayed",),
            ),
        },
        problems=ENQUEUEING,
        parameters=(IDEMPOTENCY_KEY,),
        body=BATCH,
    )
    def create(self, request: HttpRequest) -> HttpResponseBase:
        """
        Enqueue several tasks.

        Enqueues 1 to 1,000 tasks of one or several types, or none of them: all are checked before
        one is stored, and all are stored in one transaction. Tasks with the same priority and the
        same `run_after` run in the order of the list. A batch of n tasks counts as n requests
        towards the client's rate limit.
        """
        body = read_json(request, nested_in=LEVELS_OF_A_BATCH)
        keyed = keyed_request(request, self.caller, body)
        items = items_of(body)
        self.spend_more(len(items) - 1, pointer=json_pointer(MEMBER))
        enqueued = enqueue_once(keyed, lambda: check_calls(items, self.caller), enqueue_together)
        if enqueued.replayed is not None:
            tasks = chain(enqueued.tasks, read_several(enqueued.replayed, self.caller))
            results = (text for _, text in encoded(tasks, request, self.caller))
            return streamed(results, request, status=202, headers=REPLAYED)
        members = members_of_new(enqueued.tasks, self.caller)
        batch: TaskBatchRepresentation = {
            "results": [
                represent_to(self.caller, request, task, members[task.id])
                for task in enqueued.tasks
            ]
        }
        return json_response(batch, status=202)
