"""Calls that mypy refuses, each for the reason at the end of its line."""

from tasks_api_client.models import Batch, SayHelloRequestKwargs, SleepRequest, SleepRequestKwargs

missing = SayHelloRequestKwargs()  # refused: call-arg
misspelt = SayHelloRequestKwargs(name="Ada", nmae="Ada")  # refused: call-arg
wrongly_typed = SayHelloRequestKwargs(name=7)  # refused: arg-type
of_another_task = SleepRequest(
    task="service.tasks.add",  # refused: arg-type
    kwargs=SleepRequestKwargs(seconds=1),
)
no_calls = Batch(tasks=[SayHelloRequestKwargs(name="Ada")])  # refused: list-item
