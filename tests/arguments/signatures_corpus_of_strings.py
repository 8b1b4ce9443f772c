"""Task functions whose hints are strings until somebody resolves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NotRequired, Required, TypedDict, Unpack

from django.tasks import task
from pydantic import Field
from typing_extensions import ReadOnly

if TYPE_CHECKING:
    from nowhere import Thing


@task
def forward_reference(order: Order, count: int = 1) -> Summary: ...


@task
def partly_unresolvable(thing: Thing, count: int): ...


@task
def optional_forward_reference(value: list[Order] | None, *rest: int, **labels: str): ...


@task
def type_parameter[T](value: T, count: int): ...


@task
def unpacked_tuple(*args: *tuple[int, ...]): ...


@task
def unpacked_typed_dict(**options: Unpack[Options]): ...


@task
def unpacked_unresolvable(**options: Unpack[Broken]): ...


@dataclass
class Order:
    """Of the same bare name as the model of the other module."""

    lines: list[Line]


@dataclass
class Line:
    number: int


class Options(TypedDict, total=False):
    count: int


class Broken(TypedDict):
    thing: Thing


class Summary(TypedDict):
    total: int


@task
def unpacked_with_qualifiers(**options: Unpack[Qualified]): ...


class Qualified(TypedDict):
    count: int
    note: NotRequired[str]


@task
def unpacked_with_inherited_qualifiers(**options: Unpack[Inherited]): ...


@task
def unpacked_generic(**options: Unpack[Generic[int]]): ...


@task
def nested_with_qualifiers(value: list[Inherited]): ...


class Inherited(Qualified, total=False):
    required: Required[int]
    optional: int
    read_only: ReadOnly[Required[int]]
    also_read_only: Required[ReadOnly[int]]
    annotated: Annotated[Required[int], Field(ge=1)]


class Generic[T](TypedDict):
    one: T
    many: NotRequired[list[T]]
