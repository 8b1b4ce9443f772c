"""Calls that mypy refuses, each for the reason at the end of its line."""

from openapi_client import Batch, SayHelloRequestKwargs

missing = SayHelloRequestKwargs()  # refused: call-arg
misspelt = SayHelloRequestKwargs(name="Ada", nmae="Ada")  # refused: call-arg
wrongly_typed = SayHelloRequestKwargs(name=7)  # refused: arg-type
no_calls = Batch(tasks=[SayHelloRequestKwargs(name="Ada")])  # refused: list-item
