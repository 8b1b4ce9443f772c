"""
The faults of a request that a problem lists in `errors`, and their codes.

The same kind of fault has the same code everywhere: `missing` is used in a body, in arguments and in a
query.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

MAX_FAULTS = 100
"""The maximum number of faults that one answer lists."""

MAX_POINTER_LENGTH = 512
"""The maximum length of what locates a fault, in characters."""


def json_pointer(*members: str | int) -> str:
    """Build a JSON pointer (RFC 6901): `json_pointer("kwargs", "a/b")` is `/kwargs/a~1b`."""
    return "".join(f"/{str(member).replace('~', '~0').replace('/', '~1')}" for member in members)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault of a request; exactly one of `pointer`, `parameter` and `header` locates it.

    `detail` says what would be right and never repeats a value that was sent.
    """

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    @classmethod
    def at(cls, code: str, detail: str, *members: str | int) -> "Fault":
        """
        Build a fault of the value at this path in the body, whose names may be as long as the body.

        If its pointer would be too long, the fault has that of the nearest value around it instead.
        """
        pointer = ""
        for member in members:
            is_short = len(str(member)) < MAX_POINTER_LENGTH
            longer = pointer + json_pointer(member) if is_short else None
            if longer is None or len(longer) > MAX_POINTER_LENGTH:
                return cls(code, f"Somewhere in this value: {detail}", pointer=pointer)
            pointer = longer
        return cls(code, detail, pointer=pointer)

    def under(self, *members: str | int) -> "Fault":
        """Return the same fault for a body in which the value is nested deeper."""
        return Fault(self.code, self.detail, pointer=json_pointer(*members) + (self.pointer or ""))


def shortened(text: str, length: int) -> str:
    """Cut a text that is longer, and mark that."""
    return text if len(text) <= length else text[: length - 1] + "…"


def unknown_members(given: Iterable[str], allowed: Collection[str]) -> list[Fault]:
    """Return the faults of an object's members that are not allowed, `MAX_FAULTS` at most."""
    unknown = [name for name in given if name not in allowed]
    if not unknown:
        return []
    known = f"allowed: {', '.join(allowed)}" if allowed else "no members are allowed"
    return [
        Fault.at("unknown_member", f"Unknown member; {known}.", name)
        for name in islice(unknown, MAX_FAULTS)
    ]


FAULT_CODES: dict[str, str] = {
    # Any JSON.
    "missing": "A required member, argument or parameter is missing.",
    "unknown_member": "An object has an unknown member.",
    "repeated_member": "An object has several members with the same name.",
    "object_type": "The value should be an object.",
    "array_type": "The value should be an array.",
    "string_type": "The value should be a string.",
    "integer_type": "The value should be a whole number.",
    "out_of_range": "The number, the date or the duration is too small or too large.",
    "too_short": "The array or object has too few entries.",
    "too_long": "The array or object has too many entries.",
    "string_too_long": "The string has too many characters.",
    "too_deep": "Arrays and objects are nested too deeply.",
    "unstorable_text": "The text contains a NUL character or a lone surrogate, which cannot be stored.",
    "number_too_long": "The whole number has too many digits.",
    "number_too_large": "The number is beyond the range of a double.",
    "enum": "The value is not one of the allowed values.",
    "date_time": "The value should be an RFC 3339 date-time, with a UTC offset if one is required.",
    # The call of a task.
    "unknown_task": "There is no such task type, or this client may not enqueue it.",
    "unknown_queue": "The task's backend has no such queue.",
    "async_task_not_supported": "The task is asynchronous, and its backend does not support such tasks.",
    "priority_not_supported": "The task's backend does not support priorities.",
    "run_after_not_supported": "The task's backend does not support deferred tasks.",
    "limit_not_supported": (
        "The task's backend does not support tasks that expire, limits of time, or several attempts."
    ),
    "either_or": "Only one of two members that say the same in different ways can be given.",
    "above_policy": "The number is above what the task's policy allows.",
    "expires_too_early": "The task would expire before it may run.",
    "run_after_too_late": "The time is later than the task's backend can store.",
    "batch_not_supported": "The task's backend cannot store several tasks in one transaction.",
    "backend_rule": "The task's backend rejected the task.",
    "over_rate": "There are more tasks than this client's rate limit allows in one window.",
    # Queries and headers.
    "unknown_parameter": "There is no such query parameter.",
    "repeated_parameter": "The query parameter can be given only once.",
    "not_with_id": "The query parameter cannot be combined with `id`.",
    "too_many": "The query parameter is repeated too often.",
    "token": "The query parameter `token` is not a task token, or is one too many.",
    "unknown_client": "There is no client with this name.",
    "cursor": "The cursor was not issued for this list.",
    "host": "The header `Host` names a host that is not in ALLOWED_HOSTS.",
    "media_type": "The header `Content-Type` is not a well-formed media type.",
    "idempotency_key": "The header `Idempotency-Key` is not a valid idempotency key.",
    # The values of arguments, by their type hints.
    "multiple_values": "An argument is given both by position and by keyword.",
    "number_type": "The value should be a number.",
    "boolean_type": "The value should be true or false.",
    "null_type": "The value should be null.",
    "multiple_of": "The number should be a multiple of another number.",
    "string_too_short": "The string has too few characters.",
    "string_pattern": "The string should match a pattern.",
    "date": "The value should be an RFC 3339 date.",
    "time": "The value should be an RFC 3339 time.",
    "duration": "The value should be an ISO 8601 duration.",
    "uuid": "The value should be a UUID in its hyphenated form (RFC 9562).",
    "decimal": "The value should be a decimal number in a string, with no more digits than allowed.",
    "fraction": "The value should be a fraction in a string.",
    "complex": "The value should be a complex number in a string.",
    "url": "The value should be a URL.",
    "json": "The value should be a string that contains JSON.",
    "encoding": "The string does not have the required encoding.",
    "value_error": "The value does not pass the validation of its type.",
}
"""All codes with their meanings, for the page that explains them; an app adds its own."""
