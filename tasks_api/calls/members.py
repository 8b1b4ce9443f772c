"""
Additional members of a call: an optional app adds its own to `POST /tasks/` and to batches.

Example:
    `register_call_member(CallMember("callback_url", schema={"type": "string", "format": "uri"},
    check=faults_of_url, enqueued=remember_urls))`, in `AppConfig.ready()`.

"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks_api.backends import StoredTask
from tasks_api.calls import limits
from tasks_api.clients.caller import Caller
from tasks_api.faults import Fault
from tasks_api.registered import Registered


@dataclass(frozen=True, slots=True)
class CallMember:
    """
    An optional member of a call; null means the same as leaving it out.

    Attributes:
        name: the member.
        schema: its JSON Schema, for the OpenAPI document.
        check: returns the faults of a value, with pointers into the value (`""` for the value itself).
        enqueued: takes the tasks that were enqueued with a value, and the values. It is called within
            the transaction of the enqueue, if the task's backend has one; an exception rolls it back.
            On any other backend an exception comes too late: the request is answered 503, and the
            task stays enqueued. What is wrong with a value is for `check` to say.

    """

    name: str
    schema: dict[str, Any]
    check: Callable[[Any, Caller], list[Fault]]
    enqueued: Callable[[Sequence[tuple[StoredTask, Any]]], None]


MEMBERS = ("task", "args", "kwargs", "queue_name", "priority", *limits.MEMBERS)
"""The members that every call can have; only the first is required."""

call_members: Registered[CallMember] = Registered("member of calls", reserved=MEMBERS)


def register_call_member(member: CallMember) -> None:
    """Add a member to calls; call this in `AppConfig.ready()`."""
    call_members.add(member.name, member)


def faults_of_members(body: dict[str, Any], caller: Caller) -> list[Fault]:
    """Return the faults of the additional members of a call."""
    return [
        fault.under(name)
        for name, member in call_members.items()
        if name in body
        for fault in member.check(body[name], caller)
    ]
