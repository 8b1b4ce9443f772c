"""Uses the client that openapi-python-client generates: `URL TOKEN` are its arguments."""

import datetime
import json
import sys
import time

from tasks_api_client import AuthenticatedClient
from tasks_api_client.api.tasks import (
    cancel_task,
    enqueue_batch,
    enqueue_task,
    get_task,
    list_tasks,
    retry_task,
)
from tasks_api_client.models import (
    AddRequest,
    AddRequestKwargs,
    Batch,
    Problem,
    SayHelloRequest,
    SayHelloRequestKwargs,
    Task,
    TaskBatch,
    TaskList,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])


def result_of(call: AddRequest | SayHelloRequest) -> object:
    return end_of(enqueue_task.sync(client=client, body=call))


def end_of(task: object) -> object:
    while isinstance(task, Task) and not task.is_finished:
        time.sleep(0.05)
        task = get_task.sync(task.id, client=client)
    return task.return_value if isinstance(task, Task) else task


greeting = SayHelloRequest(
    task="service.tasks.say_hello", kwargs=SayHelloRequestKwargs(name="Ada"), priority=1
)
addition = AddRequest(task="service.tasks.add", kwargs=AddRequestKwargs(a=2**40, b=1))
wrong = AddRequest(task="service.tasks.add", kwargs=AddRequestKwargs(a="1"))  # type: ignore[arg-type]
problem = enqueue_task.sync(client=client, body=wrong)
assert isinstance(problem, Problem)

batch = enqueue_batch.sync(client=client, body=Batch(tasks=[greeting, addition]))
assert isinstance(batch, TaskBatch)
together = [end_of(task) for task in batch.results]
page = list_tasks.sync(client=client, id=[task.id for task in batch.results])
assert isinstance(page, TaskList)

next_year = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)
deferred = SayHelloRequest(
    task="service.tasks.say_hello", kwargs=SayHelloRequestKwargs(name="Ada"), run_after=next_year
)
waiting = enqueue_task.sync(client=client, body=deferred)
assert isinstance(waiting, Task)
cancelled = cancel_task.sync(waiting.id, client=client)
assert isinstance(cancelled, Task)
again = end_of(retry_task.sync(waiting.id, client=client))

json.dump(
    [
        result_of(greeting),
        result_of(addition),
        problem.code,
        [*together, len(page.results)],
        [cancelled.errors[0].exception_class_path, again],
    ],
    sys.stdout,
)
