"""Sample tasks to try the service with; `TASK_APPS` adds a team's own tasks."""

import time

from django.contrib.auth import get_user_model
from django.core.mail import send_mail
from django.tasks import task


@task
def say_hello(name: str) -> str:
    """Greet somebody by name."""
    return f"Hello, {name}!"


@task(queue_name="emails", priority=2)
def send_welcome_email(user_id: int) -> None:
    """Welcome a user by e-mail; fails if there is no such user."""
    user = get_user_model().objects.get(pk=user_id)
    send_mail(
        subject="Welcome!",
        message=f"Welcome, {user.get_username()}. It is good to have you here.",
        from_email=None,
        recipient_list=[user.email],
    )


@task(queue_name="reports", priority=0)
def generate_monthly_report(month: str) -> str:
    """Write the report for a month, such as `2026-11`."""
    return f"report for {month} ready"


@task
def process_order(order_id: int) -> str:
    """Process an order."""
    return f"order {order_id} processed"


@task
def add(a: int, b: int = 0, *rest: int) -> int:
    """Add whole numbers up."""
    return a + b + sum(rest)


@task
def sleep(seconds: float) -> float:
    """Sleep, then return the number of seconds."""
    time.sleep(seconds)
    return seconds


@task
def fail(message: str) -> None:
    """Fail with a message, to show what a failure looks like."""
    raise RuntimeError(message)
