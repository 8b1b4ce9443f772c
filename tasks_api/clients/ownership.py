"""
Whose a task is: read from its id where we draw the ids, else from a ledger with a row a task.

Nothing outside of here knows which of the two it is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.tasks import TaskResult
from django.tasks.signals import task_enqueued

from tasks_api.backends import Adapter, adapter_for
from tasks_api.clients.caller import Caller
from tasks_api.ids import PROJECT, ids_belong_to, owner_of, usual_owner
from tasks_api.models import PROJECT_NAME, Client, TaskOwner


def readable(caller: Caller, adapter: Adapter, identifiers: Sequence[str]) -> list[str]:
    """Return those of these tasks that a client may know of, in this order; they may not exist."""
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
    """Return the number of the client whose task this is, or of the project's own code."""
    if adapter.ids_carry_owner:
        return _owner_in(identifier)
    rows = TaskOwner.objects.filter(backend=adapter.backend.alias, task_id=identifier)
    return rows.values_list("client_number", flat=True).first() or PROJECT


def owner_called(name: str) -> int | None:
    """Return the number of the client of this name, or of the project's own code."""
    if name == PROJECT_NAME:
        return PROJECT
    clients = Client.objects.filter(name=name)
    return clients.values_list("number", flat=True).first()


def record_owner(adapter: Adapter, identifier: str, owner: int) -> None:
    """Note whose a task is that was just enqueued, where its id does not say so."""
    if owner != PROJECT and adapter.keeps_results and not adapter.ids_carry_owner:
        TaskOwner.objects.create(
            backend=adapter.backend.alias, task_id=identifier, client_number=owner
        )


@contextmanager
def on_behalf_of(client: Client) -> Iterator[None]:
    """
    Give the tasks that the project's own code enqueues in this context to a client.

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


def _enqueued(*, task_result: "TaskResult[..., Any]", **_: Any) -> None:
    """Keep the ledger of what is enqueued on behalf of a client by the project's own code."""
    if (owner := usual_owner()) != PROJECT:
        record_owner(adapter_for(task_result.backend), str(task_result.id), owner)


task_enqueued.connect(_enqueued)
