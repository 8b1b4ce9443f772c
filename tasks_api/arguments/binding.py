"""Binds a client's call to the parameters of a function, as Python does, and reports all faults."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic_core import CoreSchema

from tasks_api.arguments.value_check import ValueCheck
from tasks_api.arguments.value_faults import MISSING, MULTIPLE_VALUES, TOO_LONG, UNKNOWN_MEMBER
from tasks_api.faults import MAX_FAULTS, Fault

type Look = Callable[..., tuple[Any, list[Fault]]]
"""A method of `ValueCheck`: it returns what becomes of a value, and the value's faults."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter and the check of its values; `position` is None for a keyword-only one."""

    name: str
    position: int | None
    is_required: bool
    takes_keyword: bool
    schema: CoreSchema
    value: ValueCheck


@dataclass(frozen=True, slots=True)
class Further:
    """
    What `*args` or `**kwargs` accepts: the schema of each value, and the check of all together.

    With `is_unpacked`, the schema is that of all values together, as in `*args: *tuple[int, str]`.
    """

    name: str
    schema: CoreSchema
    values: ValueCheck
    is_unpacked: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """The arguments of a call after a look at each of them, and why the call does not fit."""

    args: list[Any]
    kwargs: dict[str, Any]
    faults: list[Fault]


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

    def bind(self, args: list[Any], kwargs: dict[str, Any], look: Look) -> "Bound":
        """
        Look at each argument of a call, and find out why the function cannot be called like this.

        It stops after `MAX_FAULTS` reasons.
        """
        bound_args, bound_kwargs = list(args), dict(kwargs)
        faults = list(islice(self._bind(bound_args, bound_kwargs, look), MAX_FAULTS))
        return Bound(bound_args, bound_kwargs, faults)

    def _bind(self, args: list[Any], kwargs: dict[str, Any], look: Look) -> Iterator[Fault]:
        """Replace each argument with what becomes of it; yield the faults."""
        for position, argument in enumerate(self.positional[: len(args)]):
            args[position], found = look(argument.value, args[position], "args", position)
            yield from found
        if len(args) > (named_ones := len(self.positional)):
            args[named_ones:], found = self._rest(args[named_ones:], look)
            yield from found
        others: dict[str, Any] = {}
        for name, value in kwargs.items():
            named = self.by_keyword.get(name)
            if named is None:
                if self.others is None or name in self.refused_keywords:
                    yield _fault(UNKNOWN_MEMBER, "kwargs", name)
                else:
                    others[name] = value
            elif named.position is not None and named.position < len(args):
                yield _fault(MULTIPLE_VALUES, "kwargs", name)
            else:
                kwargs[name], found = look(named.value, value, "kwargs", name)
                yield from found
        if others and self.others is not None:
            of_others, found = look(self.others.values, others, "kwargs")
            kwargs.update(of_others)
            yield from found
        yield from self._missing(len(args), kwargs)

    def _rest(self, values: list[Any], look: Look) -> tuple[Any, list[Fault]]:
        first = len(self.positional)
        if self.rest is not None:
            return look(self.rest.values, values, "args", first=first)
        code, detail = TOO_LONG
        return values, [_fault((code, detail.format(max_length=first)), "args")]

    def _missing(self, given: int, kwargs: dict[str, Any]) -> Iterator[Fault]:
        for argument in self:
            position = argument.position
            if not argument.is_required or (position is not None and position < given):
                continue
            if position is not None and not argument.takes_keyword:
                yield _fault(MISSING, "args", position)
            elif argument.name not in kwargs:
                yield _fault(MISSING, "kwargs", argument.name)


def _fault(code_and_detail: tuple[str, str], *at: str | int) -> Fault:
    return Fault.at(*code_and_detail, *at)
