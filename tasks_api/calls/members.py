"""
The place of further members of a call: an optional app adds its own to `POST /tasks/` and to batches.

Example:
    `register_call_member(CallMember("callback_url", schema={"type": "string", "format": "uri"},
    check=faults_of_url, enqueued=remember_urls))`, in `AppConfig.ready()`.

"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks_api.backends import StoredTask
from tasks_api.clients.caller import Caller
from tasks_api.faults import Fault


@dataclass(frozen=True, slots=True)
class CallMember:
    """
    An optional member of a call; null and a member that is left out mean the same.

    Attributes:
        name: the member.
        schema: its JSON Schema, for the document.
        check: returns what is wrong with a value, with pointers into the value (`""` for itself).
        enqueued: takes the tasks that were enqueued with a value, and the values; called within the
            transaction of the enqueue, where the task's backend has one: what it raises undoes that.

    """

    name: str
    schema: dict[str, Any]
    check: Callable[[Any, Caller], list[Fault]]
    enqueued: Callable[[Sequence[tuple[StoredTask, Any]]], None]


call_members: dict[str, CallMember] = {}


def register_call_member(member: CallMember) -> None:
    """Let calls have one more member; call it in `AppConfig.ready()`."""
    call_members[member.name] = member


def faults_of_members(body: dict[str, Any], caller: Caller) -> list[Fault]:
    """Return what is wrong with the further members of a call."""
    return [
        fault.under(name)
        for name, member in call_members.items()
        if body.get(name) is not None
        for fault in member.check(body[name], caller)
    ]
