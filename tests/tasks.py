"""The tests' own tasks: what a task can be, take, return and fail with."""

import asyncio
import dataclasses
import enum
from datetime import datetime, timedelta
from typing import Annotated, Any, TypedDict, Unpack

from django.tasks import TaskContext, task
from pydantic import BaseModel, Field

from tasks_api.policies import policy
from tasks_api.typed import typed


class NoJSON:
    """A value that no JSON can hold."""


@task
def echo(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the arguments."""
    return {"args": list(args), "kwargs": kwargs}


@task
def give_back(value: Any) -> Any:
    """Return the argument."""
    return value


@task
async def wait_and_double(number: int) -> int:
    """Double a number, asynchronously."""
    await asyncio.sleep(0)
    return number * 2


@task(takes_context=True)
def tell_attempt(context: TaskContext[Any, Any], greeting: str = "attempt") -> str:
    """Tell which attempt this is."""
    return f"{greeting} {context.attempt}"


@task(takes_context=True)
async def tell_attempt_later(context: TaskContext[Any, Any]) -> int:
    """Tell which attempt this is, asynchronously."""
    await asyncio.sleep(0)
    return context.attempt


@task
def return_null() -> None:
    """Return nothing."""


@task
def return_boolean() -> bool:
    """Return true."""
    return True


@task
def return_integer() -> int:
    """Return a whole number that a double cannot hold."""
    return 2**63 + 1


@task
def return_number() -> float:
    """Return a number with a fraction."""
    return 0.1


@task
def return_string() -> str:
    """Return characters of one to four bytes."""
    return "aé€😀"


@task
def return_array() -> list[Any]:
    """Return an array of everything."""
    return [None, False, 1, 1.5, "one", [], {}]


@task
def return_object() -> dict[str, Any]:
    """Return a nested object."""
    return {"": None, "nested": {"deep": [1, {"deeper": True}]}}


@task
def return_no_json() -> Any:
    """Return what cannot be stored."""
    return NoJSON()


@task
def raise_value_error(message: str = "no") -> None:
    """Fail."""
    raise ValueError(message)


@task
async def raise_value_error_later(message: str = "no") -> None:
    """Fail asynchronously."""
    await asyncio.sleep(0)
    raise ValueError(message)


@task
@policy(max_attempts=3, backoff={"initial": 1, "jitter": 0}, retry_on=[OSError])
def is_tried_again(message: str = "no") -> None:
    """Fail in a way that may pass."""
    raise OSError(message)


@task(queue_name="emails", priority=7)
def has_a_queue_and_a_priority() -> str:
    """Run in a queue of its own, before others."""
    return "done"


@task
def positional_only(number: int, /, *, flag: bool = False) -> list[Any]:
    """Take one argument by position alone and one by keyword alone."""
    return [number, flag]


class Size(enum.Enum):
    """How much is baked at once."""

    BATCH = "batch"
    SINGLE = "single"


@dataclasses.dataclass
class Order:
    """What somebody wants."""

    loaves: Annotated[int, Field(ge=1)]
    size: Size = Size.SINGLE


class Receipt(BaseModel):
    """What somebody gets."""

    orders: list[Order]
    ready_at: datetime
    notes: set[str] = set()


class Extras(TypedDict, total=False):
    """What somebody may want besides."""

    patience: timedelta


@task
@typed
def book(at: datetime, *orders: Order, **extras: Unpack[Extras]) -> Receipt:
    """Book orders."""
    return Receipt(orders=list(orders), ready_at=at + extras.get("patience", timedelta()))


@task(takes_context=True)
@typed
async def book_later(context: TaskContext[Any, Any], order: Order | None, attempt: int) -> Receipt:
    """Book an order, asynchronously."""
    assert order is None or isinstance(order, Order)
    assert context.attempt == attempt
    await asyncio.sleep(0)
    return Receipt(orders=[order] if order else [], ready_at=context.task_result.enqueued_at)


@task
@typed
def return_another_type() -> Receipt:
    """Return what the hint does not say."""
    return 1  # type: ignore[return-value]


alias_of_echo = echo.using(priority=9)
