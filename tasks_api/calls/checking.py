"""Checking the body of a request, and building the call of a task from it."""

from datetime import UTC, datetime
from typing import Any

from django.tasks import Task
from django.tasks.base import TASK_MAX_PRIORITY, TASK_MIN_PRIORITY
from django.tasks.exceptions import InvalidTask

from tasks_api.arguments.whole_numbers import as_integer
from tasks_api.backends import Call, adapter_for
from tasks_api.calls.limits import Said, as_sent, faults_of_form
from tasks_api.calls.members import MEMBERS, call_members, faults_of_members
from tasks_api.calls.registry import registry
from tasks_api.clients.caller import Caller
from tasks_api.faults import Fault, unknown_members
from tasks_api.policies import policy_of
from tasks_api.problems import InvalidRequest, NotSupportedByBackend, UnknownTask
from tasks_api.timestamps import as_stored

_TYPES: tuple[tuple[str, type, str, str], ...] = (
    ("task", str, "string_type", "Should be a string."),
    ("args", list, "array_type", "Should be an array."),
    ("kwargs", dict, "object_type", "Should be an object."),
    ("queue_name", str, "string_type", "Should be a string."),
)


def check_call(body: Any, caller: Caller, *, owner: int | None = None) -> Call:
    """
    Check a body such as `{"task": "shop.tasks.refund", "kwargs": {"order": 7}}`.

    The client becomes the owner of the task, unless `owner` is given.

    Raises:
        InvalidRequest: 400, a member is missing, unknown or invalid.
        UnknownTask: 400, `task` is not in the registry, or not allowed for this client.
        InvalidArguments: 400, the arguments do not fit the function.
        NotSupportedByBackend: 400, the backend does not support a member.

    """
    require_object(body)
    body = _without_nulls(body)
    now = datetime.now(UTC)
    if faults := _faults_of_form(body, now) + faults_of_members(body, caller):
        raise InvalidRequest(faults=faults)
    task_type = registry.task_types.get(body["task"])
    if task_type is None or not caller.may_enqueue(body["task"]):
        fault = Fault("unknown_task", "Should be the name of a task type.", pointer="/task")
        raise UnknownTask(faults=[fault])
    args, kwargs = body.get("args", []), body.get("kwargs", {})
    args, kwargs = task_type.arguments.check(args, kwargs)
    said = Said.of(body, now)
    task = _placed(task_type.task, body, said)
    if faults := list(said.faults(body, now, policy_of(body["task"]))):
        raise InvalidRequest(faults=faults)
    return Call(
        task=task,
        args=args,
        kwargs=kwargs,
        owner=caller.number if owner is None else owner,
        limits=said.limits,
        members={name: body[name] for name in call_members if name in body},
    )


def require_object(body: Any) -> None:
    """
    Refuse a body that is no JSON object.

    Raises:
        InvalidRequest: 400, it is not.

    """
    if not isinstance(body, dict):
        raise InvalidRequest(
            "The body must be a JSON object.",
            faults=[Fault("object_type", "Should be an object.", pointer="")],
        )


def _without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out optional members that are null, which is the same as absent."""
    if None not in body.values():
        return body
    optional = (*MEMBERS[1:], *call_members)
    return {
        name: value for name, value in body.items() if value is not None or name not in optional
    }


def _placed(task: "Task[..., Any]", body: dict[str, Any], said: Said) -> "Task[..., Any]":
    """Return the task with the queue, the priority and the `run_after` of the call."""
    queue_name, priority = body.get("queue_name"), as_integer(body.get("priority"))
    run_after = said.run_after
    adapter = adapter_for(task.backend)
    if faults := adapter.refusals(task, queue_name, priority, run_after, said.limits):
        raise NotSupportedByBackend(faults=[as_sent(fault, body) for fault in faults])
    if run_after is not None and run_after <= datetime.now(UTC):
        # A time in the past means now; if it were kept, a client could jump the queue.
        run_after = None
    if (queue_name, priority, run_after) == (None, None, None):
        return task
    try:
        return task.using(
            queue_name=queue_name,
            priority=priority,
            run_after=None if run_after is None else as_stored(run_after),
        )
    except InvalidTask as error:
        raise refused_by_backend() from error


def refused_by_backend() -> NotSupportedByBackend:
    """Build the 400 for a call that its task's backend rejected."""
    detail = "The task's backend rejected the task."
    return NotSupportedByBackend(faults=[Fault("backend_rule", detail, pointer="")])


def _faults_of_form(body: dict[str, Any], now: datetime) -> list[Fault]:
    faults = unknown_members(body, (*MEMBERS, *call_members))
    if "task" not in body:
        faults.append(Fault("missing", "Should name a task type.", pointer="/task"))
    for name, kind, code, detail in _TYPES:
        if name in body and not isinstance(body[name], kind):
            faults.append(Fault(code, detail, pointer=f"/{name}"))
    if "priority" in body and (wrong := _fault_of_priority(body["priority"])):
        detail = f"Should be a whole number from {TASK_MIN_PRIORITY} to {TASK_MAX_PRIORITY}."
        faults.append(Fault(wrong, detail, pointer="/priority"))
    return [*faults, *faults_of_form(body, now)]


def _fault_of_priority(value: Any) -> str | None:
    priority = as_integer(value)
    if priority is None:
        return "integer_type"
    return None if TASK_MIN_PRIORITY <= priority <= TASK_MAX_PRIORITY else "out_of_range"
