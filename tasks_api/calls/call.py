"""A client's wish to enqueue one task, checked as far as the request alone allows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.tasks.base import TASK_MAX_PRIORITY, TASK_MIN_PRIORITY

from tasks_api.backends import adapter_for
from tasks_api.calls.registry import TaskType, registry
from tasks_api.clients.caller import Caller
from tasks_api.faults import Fault, json_pointer
from tasks_api.problems import InvalidRequest, NotSupportedByBackend, UnknownTask
from tasks_api.timestamps import moment_of

MEMBERS = ("task", "args", "kwargs", "queue_name", "priority", "run_after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    What to run, with which arguments, where and when.

    `queue_name` and `priority` are None where the task's own are meant, `run_after` for now.
    """

    task_type: TaskType
    args: list[Any]
    kwargs: dict[str, Any]
    queue_name: str | None
    priority: int | None
    run_after: datetime | None

    @classmethod
    def from_json(cls, body: Any, caller: Caller) -> "Call":
        """
        Check what a client sent, such as `{"task": "shop.tasks.refund", "kwargs": {"order": 7}}`.

        Raises:
            InvalidRequest: 400, a member is missing, unknown or of the wrong form.
            UnknownTask: 400, `task` is not on the registry, or not for this client.
            InvalidArguments: 400, the arguments do not fit the function.
            NotSupportedByBackend: 400, the backend cannot do what a member asks for.

        """
        if not isinstance(body, dict):
            raise InvalidRequest(
                "The body must be a JSON object.",
                faults=[Fault("object_type", "Should be an object.", pointer="")],
            )
        if faults := _faults_of_form(body):
            raise InvalidRequest(faults=faults)
        task_type = registry.task_types.get(body["task"])
        if task_type is None or not caller.may_enqueue(body["task"]):
            raise UnknownTask(
                faults=[
                    Fault("unknown_task", "Should be the name of a task type.", pointer="/task")
                ]
            )
        args, kwargs = body.get("args", []), body.get("kwargs", {})
        task_type.arguments.check(args, kwargs)
        run_after = _moment(body["run_after"]) if "run_after" in body else None
        call = cls(
            task_type=task_type,
            args=args,
            kwargs=kwargs,
            queue_name=body.get("queue_name"),
            priority=body.get("priority"),
            # A moment that has passed means now; kept, it would let a client jump the queue.
            run_after=run_after if run_after and run_after > datetime.now(UTC) else None,
        )
        adapter = adapter_for(task_type.task.backend)
        if faults := adapter.refusals(task_type.task, call.queue_name, call.priority, run_after):
            raise NotSupportedByBackend(faults=faults)
        return call


def _faults_of_form(body: dict[str, Any]) -> list[Fault]:
    faults = [
        Fault(
            "unknown_member",
            f"There is no such member; there are: {', '.join(MEMBERS)}.",
            pointer=json_pointer(name),
        )
        for name in body
        if name not in MEMBERS
    ]
    if "task" not in body:
        faults.append(Fault("missing_member", "Should name a task type.", pointer="/task"))
    for name, kind, code, detail in (
        ("task", str, "string_type", "Should be a string."),
        ("args", list, "array_type", "Should be an array."),
        ("kwargs", dict, "object_type", "Should be an object."),
        ("queue_name", str, "string_type", "Should be a string."),
    ):
        if name in body and not isinstance(body[name], kind):
            faults.append(Fault(code, detail, pointer=f"/{name}"))
    if "priority" in body and not _is_priority(body["priority"]):
        detail = f"Should be a whole number from {TASK_MIN_PRIORITY} to {TASK_MAX_PRIORITY}."
        faults.append(Fault("priority", detail, pointer="/priority"))
    if "run_after" in body and _moment(body["run_after"]) is None:
        detail = "Should be an RFC 3339 date-time with an offset, such as 2026-11-22T09:00:00Z."
        faults.append(Fault("date_time", detail, pointer="/run_after"))
    return faults


def _is_priority(value: Any) -> bool:
    # Exactly int: bool is a subclass of it.
    return type(value) is int and TASK_MIN_PRIORITY <= value <= TASK_MAX_PRIORITY


def _moment(value: Any) -> datetime | None:
    return moment_of(value) if isinstance(value, str) else None
