"""The keys of a policy, as they are written at a task's function and in `TASKS_API["POLICIES"]`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.functional_validators import BeforeValidator

MAX_ATTEMPTS = 25
MAX_SECONDS = 7 * 86_400
"""The longest time limit, grace and pause between two attempts."""

_DOTTED_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def _path_of(error: Any) -> Any:
    """Take an exception class for its path, so that code may name either."""
    if isinstance(error, type) and issubclass(error, BaseException):
        error = path_of(error)
    if not (isinstance(error, str) and _DOTTED_PATH.fullmatch(error)):
        raise ValueError("should be the dotted path of an exception, such as builtins.OSError")
    return error


def path_of(kind: type[BaseException]) -> str:
    """Return the dotted path of an exception class, as `exception_class_path` has it."""
    return f"{kind.__module__}.{kind.__qualname__}"


type ExceptionPath = Annotated[str, BeforeValidator(_path_of)]
type Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)]


class _Options(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, strict=True, validate_default=False
    )


class BackoffOptions(_Options):
    """
    How long to wait before the next attempt: `initial` seconds, and `factor` times as long each time.

    Attributes:
        max: the longest pause, in seconds.
        jitter: the part by which a pause may be shorter or longer, at random: 0.1 is a tenth. None is
            longer than `max`.

    """

    initial: float = Field(default=5, ge=0, le=MAX_SECONDS, allow_inf_nan=False)
    factor: float = Field(default=2, ge=1, le=100, allow_inf_nan=False)
    max: float = Field(default=600, ge=0, le=MAX_SECONDS, allow_inf_nan=False)
    jitter: float = Field(default=0.1, ge=0, le=1, allow_inf_nan=False)


class PolicyOptions(_Options):
    """
    What a policy says of a task; what is left out is as elsewhere, or the default.

    Attributes:
        max_attempts: how many times the task is started at most.
        retry_on: the paths of the exceptions after which there is another attempt, subclasses included;
            without it, whatever the task raises. What the worker itself ended an attempt for, such as
            `WorkerLost`, counts only where named.
        timeout_seconds: how long an attempt may take; None: as long as it takes.
        stop_grace_seconds: how long a task may take to end once it was told to stop.

    """

    max_attempts: int | None = Field(default=None, ge=1, le=MAX_ATTEMPTS)
    backoff: BackoffOptions | None = None
    retry_on: Annotated[tuple[ExceptionPath, ...], Field(strict=False)] | None = None
    timeout_seconds: Seconds | None = None
    stop_grace_seconds: Seconds | None = None

    @property
    def said(self) -> dict[str, Any]:
        """The keys that were written, with their values; those of the backoff likewise."""
        return self.model_dump(exclude_unset=True)


def options_from(given: Mapping[str, Any]) -> PolicyOptions:
    """
    Check the keys of a policy.

    Raises:
        ValueError: some are unknown or have a wrong value; the message says which, and what is right.

    """
    try:
        return PolicyOptions.model_validate(dict(given))
    except ValidationError as error:
        raise ValueError("; ".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in fault['loc'])}: {_sentence(fault['loc'], fault['type'], fault['msg'])}"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """Say what is wrong in words of Python, not of pydantic."""
    if kind == "extra_forbidden":
        options = BackoffOptions if place[0] == "backoff" else PolicyOptions
        return f"unknown; allowed: {', '.join(options.model_fields)}"
    plain = message.removeprefix("Value error, ").replace("Input should", "should")
    return _IN_PLAIN_WORDS.get(kind, plain)


_IN_PLAIN_WORDS = {
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "model_type": f"should be a dict of {', '.join(BackoffOptions.model_fields)}",
    "tuple_type": "should be a list of exceptions",
}
