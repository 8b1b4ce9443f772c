"""
Task ownership: read from the id if we generated it, otherwise from a table with a row for each task.

Other modules do not depend on which of the two is used.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.tasks import TaskResult
from django.tasks.signals import task_enqueued

from tasks_api.backends import Adapter, adapter_for
from tasks_api.backends.announcing import only_for_other_ids
from tasks_api.clients.caller import Caller
from tasks_api.ids import PROJECT, default_owner, ids_belong_to, owner_of
from tasks_api.models import PROJECT_NAME, Client, TaskOwner


def readable(caller: Caller, adapter: Adapter, identifiers: Sequence[str]) -> list[str]:
    """Return the ids, in this order, of tasks that a client may read if they exist."""
    if caller.only_task is not None:
        identifiers = [one for one in identifiers if one == caller.only_task]
    if caller.is_admin:
        return [*identifiers]
    if adapter.ids_carry_owner:
        return [one for one in identifiers if _owner_in(one) == caller.number]
    rows = TaskOwner.objects.filter(
        backend=adapter.backend.alias, task_id__in=identifiers, client_number=caller.number
    )
    own = set(rows.values_list("task_id", flat=True))
    return [one for one in identifiers if one in own]


def owner_of_task(adapter: Adapter, identifier: str) -> int:
    """Return the number of the client that owns a task, or of the project's own code."""
    if adapter.ids_carry_owner:
        return _owner_in(identifier)
    rows = TaskOwner.objects.filter(backend=adapter.backend.alias, task_id=identifier)
    return rows.values_list("client_number", flat=True).first() or PROJECT


def owner_named(name: str) -> int | None:
    """Return the number of the client with this name, or of the project's own code."""
    if name == PROJECT_NAME:
        return PROJECT
    clients = Client.objects.filter(name=name)
    return clients.values_list("number", flat=True).first()


def record_owner(adapter: Adapter, identifier: str, owner: int) -> None:
    """Record the owner of a new task whose id does not contain it."""
    if owner != PROJECT and adapter.keeps_results and not adapter.ids_carry_owner:
        TaskOwner.objects.create(
            backend=adapter.backend.alias, task_id=identifier, client_number=owner
        )


@contextmanager
def on_behalf_of(client: Client) -> Iterator[None]:
    """
    Make a client the owner of tasks that the project's own code enqueues in this context.

    Example:
        `with on_behalf_of(client): send_invoice.enqueue(order.pk)`.

    """
    with ids_belong_to(client.number):
        yield


def _owner_in(identifier: str) -> int:
    try:
        return owner_of(UUID(identifier))
    except ValueError:
        return PROJECT


@only_for_other_ids
def _enqueued(*, task_result: "TaskResult[..., Any]", **_: Any) -> None:
    """Record the owner of a task that the project's own code enqueued on behalf of a client."""
    if (owner := default_owner()) != PROJECT:
        record_owner(adapter_for(task_result.backend), str(task_result.id), owner)


task_enqueued.connect(_enqueued)
