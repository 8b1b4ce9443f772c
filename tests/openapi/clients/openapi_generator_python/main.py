"""Uses the client of openapi-generator's `python`: `URL TOKEN` are its arguments."""

import datetime
import json
import sys
import time

from openapi_client import (
    AddRequest,
    AddRequestKwargs,
    ApiClient,
    ApiException,
    Batch,
    Call,
    Configuration,
    Problem,
    SayHelloRequest,
    SayHelloRequestKwargs,
    Task,
    TasksApi,
)

api = TasksApi(ApiClient(Configuration(host=sys.argv[1], access_token=sys.argv[2])))


def result_of(call: AddRequest | SayHelloRequest) -> object:
    return end_of(api.enqueue_task(Call(call)))


def end_of(task: Task) -> object:
    while not task.is_finished:
        time.sleep(0.05)
        task = api.get_task(task.id)
    return task.return_value


def problem_of(call: AddRequest) -> object:
    try:
        return api.enqueue_task(Call(call))
    except ApiException as error:
        return error.data


greeting = SayHelloRequest(
    task="service.tasks.say_hello", kwargs=SayHelloRequestKwargs(name="Ada"), priority=1
)
addition = AddRequest(task="service.tasks.add", kwargs=AddRequestKwargs(a=2**40, b=1))
# The client's own check is passed by, to come to the server's.
wrong = AddRequest(task="service.tasks.add", kwargs=AddRequestKwargs.model_construct(a="1"))
problem = problem_of(wrong)
assert isinstance(problem, Problem)

batch = api.enqueue_batch(Batch(tasks=[Call(greeting), Call(addition)]))
together = [end_of(task) for task in batch.results]
page = api.list_tasks(id=[task.id for task in batch.results])

next_year = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)
deferred = SayHelloRequest(
    task="service.tasks.say_hello", kwargs=SayHelloRequestKwargs(name="Ada"), run_after=next_year
)
waiting = api.enqueue_task(Call(deferred))
cancelled = api.cancel_task(waiting.id)
again = end_of(api.retry_task(waiting.id))

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
