"""The shop's tasks, on every backend that the project has."""

import asyncio
import datetime
import math
from typing import Any

from django.contrib.auth import get_user_model
from django.core.mail import send_mail
from django.tasks import TaskContext, task

from tests.project.shop.models import Order


@task
def send_welcome_email(customer_id: int) -> str:
    """Welcome a customer."""
    customer = get_user_model().objects.get(pk=customer_id)
    send_mail("Willkommen!", "Schön, dass Sie da sind.", None, [customer.email])
    return customer.get_username()


@task
def process_order(order_id: int) -> str:
    """Take the money."""
    Order.objects.filter(pk=order_id, is_paid=False).update(is_paid=True)
    return f"order {order_id} processed"


@task
def add(a: int, b: int) -> int:
    """Add on the default backend."""
    return a + b


@task(backend="at_once", priority=3)
def add_at_once(a: int, b: int) -> int:
    """Add in the web process."""
    return a + b


@task(backend="at_once")
async def add_at_once_asynchronously(a: int, b: int) -> int:
    """Add in the web process, asynchronously."""
    await asyncio.sleep(0)
    return a + b


@task(backend="at_once", takes_context=True)
def tell_attempt_at_once(context: "TaskContext[Any, Any]") -> int:
    """Tell which attempt this is."""
    return context.attempt


@task(backend="at_once")
def enqueue_another() -> str:
    """Enqueue a task of the project's own while this one runs."""
    return add.enqueue(1, 1).id


@task(backend="at_once")
def change_the_arguments(items: list[Any], *, where: dict[str, Any]) -> None:
    """Put what no JSON can hold into the arguments."""
    items.append(object())
    where["when"] = datetime.datetime.now(datetime.UTC)


EXCEPTIONS: dict[str, BaseException] = {
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "cancel": asyncio.CancelledError(),
    "generator": GeneratorExit(),
    "base": BaseException("base"),
    "error": ValueError("no"),
    "surrogate": ValueError("\ud800"),
    "nul": ValueError("\0"),
    "group": BaseExceptionGroup("two", [SystemExit(), ValueError()]),
}


@task(backend="at_once")
def raise_at_once(kind: str) -> None:
    """Raise what is asked for."""
    raise EXCEPTIONS[kind]


@task(backend="at_once")
async def raise_at_once_asynchronously(kind: str) -> None:
    """Raise what is asked for, asynchronously."""
    await asyncio.sleep(0)
    raise EXCEPTIONS[kind]


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


RETURN_VALUES: dict[str, Any] = {
    "nan": [math.nan, math.inf, -math.inf, 1.5],
    "surrogate": {"\ud800": "\udfff", "a": "é"},
    "nul": "\0",
    "huge text": "é" * 3_000_000,
    "huge integer": [10**4299, 10**4300, -(10**5000)],
    "bytes": b"abc",
    "tuple": (1, (2, 3)),
    "numbers as names": {1: "one", None: "nothing", 1.5: "more"},
    "object": object(),
    "set": {1},
    "latin-1": b"\xff",
    "circle": _circle(),
    "very deep": _nested(100_000),
    "deep": _nested(200),
}


@task(backend="at_once")
def return_at_once(kind: str) -> Any:
    """Return what is asked for."""
    return RETURN_VALUES[kind]


@task(backend="never")
def add_never(a: int, b: int) -> int:
    """Add never."""
    return a + b


@task(backend="files")
def add_by_files(a: int, b: int) -> int:
    """Add on the third party's backend."""
    return a + b


@task(backend="files")
def fail_by_files() -> None:
    """Fail on the third party's backend."""
    raise ValueError("no")


@task(backend="files")
async def add_by_files_asynchronously(a: int, b: int) -> int:
    """Be asynchronous on a backend that claims it can, and cannot."""
    return a + b
