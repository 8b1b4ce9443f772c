"""
A limit of the work for recursive unions.

pydantic tries the members of a union in turn. Where several recursive members fit, as in
`Expression = Sum | Product` without a discriminator, each level doubles the work: thirty levels would
take hours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

from pydantic_core import CoreSchema, core_schema

from tasks_api.arguments.core_schemas import Node, rebuilt, wrapped

LEAST_ATTEMPTS = 20_000
ATTEMPTS_PER_ENTRY = 20
"""How often unions may be tried for a value, at least and for each entry of its objects and arrays."""


class TooManyAttempts(Exception):
    """A value takes too many attempts; not a `ValueError`, so that pydantic does not go on."""


def counting_attempts(schema: CoreSchema) -> CoreSchema:
    """Return a schema in which each attempt at a union is counted."""
    return cast(CoreSchema, rebuilt(schema, _counted))


@contextmanager
def limited_attempts(value: Any) -> Iterator[None]:
    """
    Limit the attempts at unions in this context to what a value can need.

    Raises:
        TooManyAttempts: from pydantic's validation, they are used up.

    """
    token = _left.set([LEAST_ATTEMPTS + ATTEMPTS_PER_ENTRY * _entries(value)])
    try:
        yield
    finally:
        _left.reset(token)


_left: ContextVar[list[int]] = ContextVar("tasks_api_attempts_left")


def _counted(node: Node, in_name: bool) -> Node:
    if node["type"] != "union":
        return node
    return wrapped(node, partial(core_schema.no_info_before_validator_function, _count))


def _count(value: Any) -> Any:
    left = _left.get()
    left[0] -= 1
    if left[0] < 0:
        raise TooManyAttempts
    return value


def _entries(value: Any) -> int:
    number = 0
    pending = [value]
    while pending:
        container = pending.pop()
        if isinstance(container, dict | list):
            number += len(container)
            pending += container.values() if isinstance(container, dict) else container
    return number
