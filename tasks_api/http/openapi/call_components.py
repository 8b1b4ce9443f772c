"""
The request bodies of `POST /tasks/` as components of the OpenAPI document, one for each task type.

Client generators can handle them: a `oneOf` with a discriminator and an explicit mapping, readable and
unique names, no titles (some generators use them as class names).
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from django.tasks.base import TASK_MAX_PRIORITY, TASK_MIN_PRIORITY

from tasks_api.arguments.hint_json_schema import with_refs
from tasks_api.backends import adapter_for
from tasks_api.calls.limits import MAX_DELAY_SECONDS
from tasks_api.calls.members import call_members
from tasks_api.calls.registry import TaskType
from tasks_api.http.openapi.portable_schemas import only_used, portable, without_endless_arrays
from tasks_api.policies import Policy, policy_of
from tasks_api.policy_options import MAX_ATTEMPTS, MAX_SECONDS

type Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"
SUFFIX = "Request"

QUEUE_NAME: Schema = {
    "type": "string",
    "description": "The queue to use instead of the task's own.",
}
PRIORITY: Schema = {
    "type": "integer",
    "minimum": TASK_MIN_PRIORITY,
    "maximum": TASK_MAX_PRIORITY,
    "description": "Tasks with a higher priority run first.",
}
RUN_AFTER: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "The earliest time to run; a time in the past means now.",
}
DELAY_SECONDS: Schema = {
    "type": "number",
    "minimum": 0,
    "maximum": MAX_DELAY_SECONDS,
    "description": "The same in seconds from now, by the server's clock.",
}
EXPIRES_AT: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "If no attempt has begun by then, the task is ended.",
}
EXPIRES_IN_SECONDS: Schema = {
    "type": "number",
    "exclusiveMinimum": 0,
    "maximum": MAX_DELAY_SECONDS,
    "description": "The same in seconds from now, by the server's clock.",
}
ATTEMPTS: Schema = {
    "type": "integer",
    "minimum": 1,
    "description": "How many attempts there may be, at most as many as the task's policy says.",
}
TIMEOUT_SECONDS: Schema = {
    "type": "number",
    "exclusiveMinimum": 0,
    "description": "How long an attempt may take, at most as long as the task's policy says.",
}


@dataclass(frozen=True)
class CallComponents:
    """
    The calls of some task types.

    Attributes:
        body: the schema of a request body: one of the calls.
        components: the schemas that it refers to, by name.
        examples: a valid call of each task type, in the form of OpenAPI's `examples`.

    """

    body: Schema
    components: dict[str, Schema]
    examples: dict[str, Schema]

    @classmethod
    def of(cls, task_types: Collection[TaskType], *, reserved: Collection[str]) -> "CallComponents":
        """Describe the calls; no component gets a reserved name."""
        if not task_types:
            return cls(body=_any_call(), components={}, examples={})
        names = _names([task_type.name for task_type in task_types], SUFFIX, reserved)
        definitions = only_used(
            without_endless_arrays(_definitions_of(task_types)),
            by=[task_type.arguments.schema for task_type in task_types],
        )
        # Generators name the type of the member `kwargs` after its component.
        members = [name + "Kwargs" for name in names.values()]
        renamed = _names(definitions, "", [*reserved, *names.values(), *members])

        def place(local: str) -> str:
            return REFERENCE + renamed[local]

        components = {
            renamed[local]: portable(with_refs(schema, place))
            for local, schema in definitions.items()
        }
        examples = {}
        for task_type in task_types:
            name = names[task_type.name]
            arguments = portable(with_refs(task_type.arguments.schema, place))
            components[name] = _call_schema(task_type, arguments)
            if task_type.arguments.example is not None:
                examples[name.removesuffix(SUFFIX)] = {
                    "summary": f"Enqueue {task_type.name}",
                    "value": {"task": task_type.name, **task_type.arguments.example},
                }
        return cls(body=_one_of(names), components=components, examples=examples)


def _any_call() -> Schema:
    return {
        "type": "object",
        "description": "The call of a task.",
        "properties": {
            "task": {"type": "string", "description": "The name of the task type."},
            "args": {"type": "array", "items": {}},
            "kwargs": {"type": "object", "additionalProperties": True},
            "queue_name": _or_null(QUEUE_NAME),
            "priority": _or_null(PRIORITY),
            "run_after": _or_null(RUN_AFTER),
            "delay_seconds": _or_null(DELAY_SECONDS),
            **{name: _or_null(schema) for name, schema in _limits(None).items()},
            **_further_members(),
        },
        "required": ["task"],
        "additionalProperties": False,
    }


def _further_members() -> dict[str, Schema]:
    """Describe the members that optional apps have registered."""
    return {name: member.schema for name, member in call_members.items()}


def _call_schema(task_type: TaskType, arguments: Schema) -> Schema:
    return {
        "type": "object",
        "description": task_type.description or f"The call of `{task_type.name}`.",
        "properties": {
            "task": {"type": "string", "const": task_type.name},
            **arguments.get("properties", {}),
            **_members_for(task_type),
            **_further_members(),
        },
        "required": ["task", *arguments.get("required", [])],
        "additionalProperties": False,
    }


def _members_for(task_type: TaskType) -> dict[str, Schema]:
    """Describe where and when a task can run: only what its backend supports."""
    adapter = adapter_for(task_type.task.backend)
    backend = adapter.backend
    members = {"queue_name": QUEUE_NAME}
    if backend.queues:
        members["queue_name"] = {**QUEUE_NAME, "enum": sorted(backend.queues)}
    if backend.supports_priority:
        members["priority"] = PRIORITY
    if backend.supports_defer:
        members |= {"run_after": RUN_AFTER, "delay_seconds": DELAY_SECONDS}
    if adapter.applies_limits:
        members |= _limits(policy_of(task_type.name))
    return {name: _or_null(member) for name, member in members.items()}


def _limits(policy: Policy | None) -> dict[str, Schema]:
    """Describe what a call may say of its attempts: less than the policy, or anything without one."""
    attempts, seconds = MAX_ATTEMPTS, float(MAX_SECONDS)
    if policy is not None:
        attempts, seconds = policy.max_attempts, policy.timeout_seconds or seconds
    return {
        "expires_at": EXPIRES_AT,
        "expires_in_seconds": EXPIRES_IN_SECONDS,
        "max_attempts": ATTEMPTS | {"maximum": attempts},
        "timeout_seconds": TIMEOUT_SECONDS | {"maximum": seconds},
    }


def _or_null(schema: Schema) -> Schema:
    """
    Describe a member that may also be null, which means the same as leaving it out.

    That holds for `args` and `kwargs` too; there the document leaves null out, since generators of
    clients would give the object another name.
    """
    described = {key: value for key, value in schema.items() if key == "description"}
    alone = {key: value for key, value in schema.items() if key != "description"}
    return {"anyOf": [alone, {"type": "null"}], **described}


def _one_of(names: Mapping[str, str]) -> Schema:
    return {
        "oneOf": [{"$ref": REFERENCE + name} for name in names.values()],
        "discriminator": {
            "propertyName": "task",
            "mapping": {task: REFERENCE + name for task, name in names.items()},
        },
    }


def _names(paths: Collection[str], suffix: str, reserved: Collection[str]) -> dict[str, str]:
    """
    Name the components: `SayHelloRequest`, prefixed with the path if two names would be the same.

    Names that differ only by case count as the same: generators change the case of names.
    """
    short = {path: _pascal_case(path.rpartition(".")[2]) for path in paths}
    times = Counter(name.casefold() for name in short.values())
    taken = {name.casefold() for name in reserved}
    names = {}
    for path, own in sorted(short.items()):
        whole = _pascal_case(path)
        first = [own + suffix] if times[own.casefold()] == 1 else []
        numbered = (f"{whole}{number}{suffix}" for number in count(2))
        candidates = chain(first, [whole + suffix], numbered)
        names[path] = next(name for name in candidates if name.casefold() not in taken)
        taken.add(names[path].casefold())
    return names


def _definitions_of(task_types: Collection[TaskType]) -> dict[str, Schema]:
    """Collect the types that signatures refer to, by their qualified names."""
    return {
        local: schema
        for task_type in task_types
        for local, schema in task_type.arguments.schema.get("$defs", {}).items()
    }


def _pascal_case(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split("[^0-9A-Za-z]+", name))
