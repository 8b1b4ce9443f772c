"""Several calls in one request: all are checked before one is stored."""

from typing import Any

from tasks_api.backends import Call, adapter_for
from tasks_api.calls.checking import check_call, require_object
from tasks_api.clients.caller import Caller
from tasks_api.faults import MAX_FAULTS, Fault, json_pointer, unknown_members
from tasks_api.problems import InvalidRequest, NotSupportedByBackend, Problem

MEMBER = "tasks"
MAX_TASKS = 1000
LEVELS_OF_A_BATCH = 2
"""How many levels deeper a call is nested in a batch than on its own."""


def items_of(body: Any) -> list[Any]:
    """
    Return the calls in a body such as `{"tasks": [{"task": "shop.tasks.refund"}, …]}`.

    Raises:
        InvalidRequest: 400, the body has a different structure.

    """
    require_object(body)
    faults = unknown_members(body, (MEMBER,))
    if fault := _fault_of(body.get(MEMBER), is_there=MEMBER in body):
        faults.append(fault)
    if faults:
        raise InvalidRequest(faults=faults)
    items: list[Any] = body[MEMBER]
    return items


def check_calls(items: list[Any], caller: Caller) -> list[Call]:
    """
    Check all calls and report their faults, `MAX_FAULTS` at most.

    Raises:
        Problem: the problem of all faulty calls; InvalidRequest, 400, if they have different ones.

    """
    calls: list[Call] = []
    kinds: set[type[Problem]] = set()
    faults: list[Fault] = []
    for number, item in enumerate(items):
        try:
            call = check_call(item, caller)
            _check_backend(call)
        except Problem as problem:
            kinds.add(type(problem))
            found = problem.faults or [Fault(problem.code, problem.detail, pointer="")]
            faults += [fault.under(MEMBER, number) for fault in found]
            if len(faults) >= MAX_FAULTS:
                break
        else:
            calls.append(call)
    if faults:
        kind = kinds.pop() if len(kinds) == 1 else InvalidRequest
        raise kind(faults=faults)
    return calls


def _fault_of(items: Any, *, is_there: bool) -> Fault | None:
    pointer = json_pointer(MEMBER)
    if not is_there:
        return Fault("missing", "Should contain the tasks to enqueue.", pointer=pointer)
    if not isinstance(items, list):
        return Fault("array_type", "Should be an array.", pointer=pointer)
    if not 1 <= len(items) <= MAX_TASKS:
        code = "too_long" if items else "too_short"
        return Fault(code, f"Should contain 1 to {MAX_TASKS:,} tasks.", pointer=pointer)
    return None


def _check_backend(call: Call) -> None:
    if adapter_for(call.task.backend).database is None:
        detail = "The task's backend does not support batches: enqueue this task separately."
        fault = Fault("batch_not_supported", detail, pointer=json_pointer("task"))
        raise NotSupportedByBackend(faults=[fault])
