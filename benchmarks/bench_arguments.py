"""
How long the check of a small call takes, beside the parsing of its JSON.

Run as `python -m benchmarks.bench_arguments`.
"""

import json
import statistics
import timeit
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.tasks import Task, task
from pydantic import BaseModel

from tasks_api.arguments import Arguments

ROUNDS = 15
CALLS = 5_000

settings.configure(
    TASKS={"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": []}}
)


class Item(BaseModel):
    name: str
    quantity: int = 1


@task
def send_reminder(user_id: int, subject: str, urgent: bool = False) -> None: ...


@task
def import_rows(batch: UUID, mode: Literal["fast", "slow"], sizes: list[int]) -> None: ...


@task
def order(customer: int, items: list[Item]) -> None: ...


def microseconds(statement: str, names: dict[str, object]) -> float:
    timer = timeit.Timer(statement, globals=names)
    return statistics.median(timer.repeat(ROUNDS, CALLS)) / CALLS * 1_000_000


def compare(label: str, type_of_task: "Task[..., object]", body: str) -> None:
    arguments = Arguments.of(type_of_task)
    names: dict[str, object] = {
        "check": arguments.check,
        "loads": json.loads,
        "kwargs": json.loads(body)["kwargs"],
        "body": body,
    }
    check, parse = (
        microseconds(statement, names) for statement in ("check([], kwargs)", "loads(body)")
    )
    print(
        f"{label:<36} check {check:6.2f} µs   json.loads {parse:6.2f} µs   {check / parse:5.2f} x"
    )


def main() -> None:
    compare(
        "a whole number and a text",
        send_reminder,
        '{"task": "shop.tasks.send_reminder", "kwargs": {"user_id": 7, "subject": "Hello"}}',
    )
    compare(
        "a UUID, a literal and a list",
        import_rows,
        '{"task": "shop.tasks.import_rows", "kwargs": {"batch": '
        '"7b0e2f6c-3c1d-4f5a-9a8e-2d4c6b8f0a12", "mode": "fast", "sizes": [1, 2, 3]}}',
    )
    compare(
        "a list of two models",
        order,
        '{"task": "shop.tasks.order", "kwargs": {"customer": 7, "items": '
        '[{"name": "pen", "quantity": 2}, {"name": "ink"}]}}',
    )
    build = microseconds_to_build()
    print(f"{'building the arguments of a task':<36} {build:8.0f} µs, once at start-up")


def microseconds_to_build() -> float:
    timer = timeit.Timer(lambda: Arguments.of(order))
    return min(timer.repeat(5, 3)) / 3 * 1_000_000


if __name__ == "__main__":
    main()
