"""
The culprits within a request that a problem names in `errors`, and the codes that say what is wrong.

One fault has one code, wherever it is found: a member that is missing is `missing` in a body, in an
argument and in a query.
"""

from dataclasses import dataclass

MAX_FAULTS = 100
"""How many culprits one answer names at most."""


def json_pointer(*members: str | int) -> str:
    """Spell a JSON pointer (RFC 6901): `json_pointer("kwargs", "a/b")` is `/kwargs/a~1b`."""
    return "".join(f"/{str(member).replace('~', '~0').replace('/', '~1')}" for member in members)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One culprit within a request: exactly one of `pointer`, `parameter` and `header` names it.

    `detail` says what would be right and never repeats a value that was sent.
    """

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def under(self, *members: str | int) -> "Fault":
        """Give the same fault for a body in which the culprit lies deeper."""
        return Fault(self.code, self.detail, pointer=json_pointer(*members) + (self.pointer or ""))


FAULT_CODES: dict[str, str] = {
    # Any JSON.
    "missing": "A member, an argument or a parameter that must be there is not.",
    "unknown_member": "An object has a member that is not known there.",
    "repeated_member": "An object has two members of the same name.",
    "object_type": "The value should be an object.",
    "array_type": "The value should be an array.",
    "string_type": "The value should be a string.",
    "integer_type": "The value should be a whole number.",
    "out_of_range": "The number, the date or the duration is too small or too large.",
    "too_short": "The array or the object holds too little.",
    "too_long": "The array or the object holds too much.",
    "string_too_long": "The string has too many characters.",
    "too_deep": "Arrays and objects are nested too deeply.",
    "unstorable_text": "The text holds a NUL character or a lone surrogate, which no database stores.",
    "number_too_long": "The whole number has too many digits.",
    "number_too_large": "The number is beyond the range of a double.",
    "enum": "The value should be one of those that are listed.",
    "date_time": "The value should be an RFC 3339 date-time, with a UTC offset where one is wanted.",
    # The call of a task.
    "unknown_task": "There is no such task type, or this client may not enqueue it.",
    "unknown_queue": "The task's backend has no such queue.",
    "async_task_not_supported": "The task is asynchronous, and its backend runs no such tasks.",
    "priority_not_supported": "The task's backend knows no priorities.",
    "run_after_not_supported": "The task's backend cannot defer tasks.",
    "run_after_too_late": "The moment is later than the task's backend can store.",
    "batch_not_supported": "The task's backend cannot store several tasks in one transaction.",
    "backend_rule": "The task's backend refuses the task by a rule of its own.",
    "over_rate": "There are more tasks than this client's rate ever lets through.",
    # Queries and headers.
    "unknown_parameter": "There is no such query parameter.",
    "repeated_parameter": "The query parameter may be given only once.",
    "not_with_id": "The query parameter cannot be combined with `id`.",
    "too_many": "The query parameter is repeated too often.",
    "unknown_client": "There is no client of this name.",
    "cursor": "The cursor was not given out for this list.",
    "host": "The header `Host` names a host that is not served here.",
    "idempotency_key": "The header `Idempotency-Key` has not the form of a key.",
    # The values of arguments, by their type hints.
    "multiple_values": "An argument is given both by position and by keyword.",
    "number_type": "The value should be a number.",
    "boolean_type": "The value should be true or false.",
    "null_type": "The value should be null.",
    "multiple_of": "The number should be a multiple of another.",
    "string_too_short": "The string has too few characters.",
    "string_pattern": "The string should match a pattern.",
    "date": "The value should be an RFC 3339 date.",
    "time": "The value should be an RFC 3339 time.",
    "duration": "The value should be an ISO 8601 duration.",
    "uuid": "The value should be a UUID in its hyphenated form (RFC 9562).",
    "decimal": "The value should be a decimal number within a string, with no more digits than allowed.",
    "fraction": "The value should be a fraction within a string.",
    "complex": "The value should be a complex number within a string.",
    "url": "The value should be a URL.",
    "json": "The value should be JSON within a string.",
    "encoding": "The string is not encoded as it should be.",
    "value_error": "The value does not pass a validation of its own type.",
}
"""Every code with what it means, for the page that explains them; an app adds its own."""
