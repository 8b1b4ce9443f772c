"""Uses the client that openapi-python-client generates: `URL TOKEN` are its arguments."""

import json
import sys
import time

from tasks_api_client import AuthenticatedClient
from tasks_api_client.api.tasks import enqueue_task, get_task
from tasks_api_client.models import (
    AddRequest,
    AddRequestKwargs,
    Problem,
    SayHelloRequest,
    SayHelloRequestKwargs,
    Task,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])


def result_of(call: AddRequest | SayHelloRequest) -> object:
    task = enqueue_task.sync(client=client, body=call)
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
json.dump([result_of(greeting), result_of(addition), problem.code], sys.stdout)
