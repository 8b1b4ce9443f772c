"""Binding a client's call to the parameters of a function, as Python would, with all faults told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import CoreSchema

from tasks_api.arguments.values import ValueCheck
from tasks_api.faults import Fault, json_pointer

MOST_FAULTS = 100
"""How many faults of one call are told."""

_DETAILS = {
    "missing_argument": "Missing required argument",
    "missing_keyword_only_argument": "Missing required keyword only argument",
    "missing_positional_only_argument": "Missing required positional only argument",
    "multiple_argument_values": "Got multiple values for argument",
    "unexpected_keyword_argument": "Unexpected keyword argument",
    "unexpected_positional_argument": "Unexpected positional argument",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter and what its values are like; `position` is None for a keyword-only one."""

    name: str
    position: int | None
    is_required: bool
    takes_keyword: bool
    schema: CoreSchema
    value: ValueCheck


@dataclass(frozen=True, slots=True)
class Further:
    """
    What `*args` or `**kwargs` takes: the schema of each value, and the check of all together.

    With `is_whole`, the schema is that of all values too, as `*args: *tuple[int, str]` has it.
    """

    name: str
    schema: CoreSchema
    values: ValueCheck
    is_whole: bool


@dataclass(frozen=True)
class Binder:
    """The parameters of a function, ready to check calls against."""

    positional: tuple[Argument, ...]
    keyword_only: tuple[Argument, ...]
    rest: Further | None
    others: Further | None
    refused_keywords: frozenset[str]
    by_keyword: dict[str, Argument] = field(init=False)

    def __post_init__(self) -> None:
        taken = {each.name: each for each in self if each.takes_keyword}
        object.__setattr__(self, "by_keyword", taken)

    def __iter__(self) -> Iterator[Argument]:
        yield from self.positional
        yield from self.keyword_only

    def faults(self, args: list[Any], kwargs: dict[str, Any]) -> list[Fault]:
        """Return what keeps the function from taking this call."""
        faults: list[Fault] = []
        for position, argument in enumerate(self.positional[: len(args)]):
            faults += argument.value.faults(args[position], "args", position, limit=MOST_FAULTS)
        if len(args) > len(self.positional):
            faults += self._faults_of_rest(args)
        others: dict[str, Any] = {}
        for name, value in kwargs.items():
            named = self.by_keyword.get(name)
            if named is None:
                if self.others is None or name in self.refused_keywords:
                    faults.append(_fault("unexpected_keyword_argument", "kwargs", name))
                else:
                    others[name] = value
            elif named.position is not None and named.position < len(args):
                faults.append(_fault("multiple_argument_values", "kwargs", name))
            else:
                faults += named.value.faults(value, "kwargs", name, limit=MOST_FAULTS)
        if others and self.others is not None:
            faults += self.others.values.faults(others, "kwargs", limit=MOST_FAULTS)
        faults += self._missing(len(args), kwargs)
        return faults[:MOST_FAULTS]

    def _faults_of_rest(self, args: list[Any]) -> list[Fault]:
        first = len(self.positional)
        if self.rest is not None:
            return self.rest.values.faults(args[first:], "args", limit=MOST_FAULTS, first=first)
        end = min(len(args), first + MOST_FAULTS)
        return [
            _fault("unexpected_positional_argument", "args", position)
            for position in range(first, end)
        ]

    def _missing(self, given: int, kwargs: dict[str, Any]) -> Iterator[Fault]:
        for argument in self:
            position = argument.position
            if not argument.is_required or (position is not None and position < given):
                continue
            if position is not None and not argument.takes_keyword:
                yield _fault("missing_positional_only_argument", "args", position)
            elif argument.name not in kwargs:
                only = "" if position is not None else "keyword_only_"
                yield _fault(f"missing_{only}argument", "kwargs", argument.name)


def _fault(code: str, *at: str | int) -> Fault:
    return Fault(code, _DETAILS[code], pointer=json_pointer(*at))
