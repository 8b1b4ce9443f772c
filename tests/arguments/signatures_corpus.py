"""Task functions of every shape that a signature may have; nothing of them ever runs."""

import collections
import dataclasses
import decimal
import enum
import fractions
import functools
import ipaddress
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
    Unpack,
)
from uuid import UUID

import pydantic
from django.contrib.auth.models import User
from django.tasks import task
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, core_schema

from tests.arguments import signatures_corpus_of_strings as other_corpus

# Shapes of a signature.


@task
def nothing(): ...


@task
def unhinted(value): ...


@task
def positional_only(first: int, second: str = "", /): ...


@task
def positional_only_then_named(first: int, /, second: str): ...


@task
def keyword_only(*, name: str, times: int = 1): ...


@task
def defaults(user_id: int, note: str = "", strange: int = None): ...  # noqa: RUF013 -- on purpose


@task
def any_positional(*numbers: int): ...


@task
def named_then_any_positional(first: int, second: int = 0, *rest: int): ...


@task
def any_keyword(**labels: str): ...


@task
def anything_at_all(*args, **kwargs): ...


@task
def positional_only_and_any_keyword(name: str, /, **labels: int): ...


@task(takes_context=True)
def with_context(context, name: str): ...


@task(takes_context=True)
def with_context_and_any_keyword(context, **kwargs): ...


@task
def context_of_its_own(context: str): ...


@task
def with_self(self, name: str): ...


@task
def with_self_last(name: str, self: int): ...


@task
def with_optional_self(name: str, self: int = 0): ...


@task
def with_optional_keyword_self(*, self: int = 0): ...


@task
def with_required_keyword_self(*, self: int): ...


@task
def leading_underscores(_hidden: int, __very: str = ""): ...


@task
async def asynchronous(seconds: float) -> float: ...


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@task
@logged
def decorated(user_id: int): ...


# Hints: what JSON has itself.


@task
def anything(value: Any): ...


@task
def an_object(value: object): ...


@task
def a_bool(value: bool): ...


@task
def an_int(value: int): ...


@task
def a_float(value: float): ...


@task
def a_str(value: str): ...


@task
def a_none(value: None): ...


@task
def literal_one(value: Literal[1]): ...


@task
def literal_true(value: Literal[True]): ...


@task
def literals(value: Literal["fast", "slow", 1, None]): ...


@task
def an_optional(value: Optional[int]): ...  # noqa: UP045


@task
def an_old_union(value: Union[int, str]): ...  # noqa: UP007


@task
def a_union(value: int | list[str] | None): ...


@task
def an_int_or_a_float(value: float | int): ...


@task
def an_int_and_a_float(count: int, share: float): ...


@task
def a_union_with_formats(value: datetime | bool | Literal["now"]): ...


@task
def an_ambiguous_union(value: int | dict[str, str]): ...


@task
def a_bare_list(value: list): ...


@task
def a_list(value: list[int]): ...


@task
def a_nested_list(value: list[list[int]]): ...


@task
def a_sequence(value: Sequence[int]): ...


@task
def an_iterable(value: Iterable[int]): ...


@task
def a_tuple(value: tuple[int, str]): ...


@task
def an_even_tuple(value: tuple[int, int]): ...


@task
def an_empty_tuple(value: tuple[()]): ...


@task
def a_long_tuple(value: tuple[int, ...]): ...


@task
def a_set(value: set[int]): ...


@task
def a_bare_dict(value: dict): ...


@task
def a_dict(value: dict[str, int]): ...


@task
def a_dict_by_number(value: dict[int, str]): ...


@task
def a_mapping(value: Mapping[str, list[int]]): ...


# Enums.


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(enum.StrEnum):
    SMALL = "s"
    LARGE = "l"


class Share(enum.Enum):
    HALF = 0.5
    WHOLE = 1.0


class Odd(enum.Enum):
    PAIR = (1, 2)


@task
def an_enum(value: Colour): ...


@task
def an_int_enum(value: Level): ...


@task
def an_enum_of_floats(value: Share): ...


@task
def a_str_enum(value: Size): ...


@task
def a_literal_of_an_enum(value: Literal[Colour.RED]): ...


@task
def an_enum_of_tuples(value: Odd): ...


# Objects.


class Address(TypedDict):
    street: str
    number: NotRequired[int]


class Options(TypedDict, total=False):
    name: Required[str]
    colour: Literal["red", "green"]
    address: Address


class OpenOptions(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    name: str


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


@dataclasses.dataclass
class Line:
    start: Point
    end: Point


@pydantic.dataclasses.dataclass
class CheckedPoint:
    x: int


class Pair(NamedTuple):
    left: int
    right: str = ""


class Item(BaseModel):
    name: str
    quantity: int = Field(default=1, ge=1)


class Order(BaseModel):
    """What somebody wants."""

    items: list[Item]
    note: str | None = None
    _hidden: int = 0


class OpenItem(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class CarelessItem(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)
    quantity: int = Field(strict=False)


class Aliased(BaseModel):
    class_name: str = Field(alias="class")


class Node(BaseModel):
    value: int
    next: "Node | None"


class Names(pydantic.RootModel[list[str]]): ...


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class OldCat(BaseModel):
    version: Literal[1]
    lives: int


class NewCat(BaseModel):
    version: Literal[2]
    lives: int


class Page[T](BaseModel):
    results: list[T]


class UntellableError(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("No.")


class OpenHolder(BaseModel):
    model_config = ConfigDict(extra="allow")
    point: Point


class Picky(BaseModel):
    value: str

    @pydantic.field_validator("value")
    @classmethod
    def refuse(cls, value: str) -> str:
        match value:
            case "crash":
                raise RuntimeError(value)
            case "exit":
                raise pydantic.errors.PydanticUserError(value, code=None)
            case "custom":
                raise pydantic_core_error(value)
            case "unwritable":
                raise PydanticCustomError("odd", "got {value}", {"value": "\ud800"})
            case "namesake":
                raise PydanticCustomError("greater_than", "got {value}", {"value": value})
            case "tagged":
                raise PydanticCustomError("union_tag_invalid", "got {value}", {"value": value})
            case "untellable":
                raise UntellableError
            case "surrogate":
                raise ValueError("\ud800")
            case "good":
                return value
        raise ValueError(f"{value} is not good")


class Typed(TypedDict):
    """Its members are called as the parts of pydantic's schemas are."""

    type: Literal["model"]
    schema: NotRequired[int]
    metadata: NotRequired[int]
    config: NotRequired[int]
    function: NotRequired[int]


class IgnoringOptions(TypedDict):
    __pydantic_config__ = ConfigDict(extra="ignore")  # type: ignore[misc]
    name: str


@dataclasses.dataclass
class IgnoringPoint:
    __pydantic_config__ = ConfigDict(extra="ignore")
    x: float


class CarelessHolder(BaseModel):
    model_config = ConfigDict(strict=False)
    item: Item
    sizes: dict[int, float] = {}


def kind_of(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else None


class Odder(str):
    """A class that tells pydantic its schema, but not its JSON Schema."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.str_schema()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        raise RuntimeError("No.")


class StrictEvent(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime | None
    tags: set[str]


class Event(BaseModel):
    at: datetime
    ids: Annotated[list[UUID], pydantic.BeforeValidator(lambda value: value)]
    tags: set[str]

    @pydantic.model_validator(mode="before")
    @classmethod
    def pass_on(cls, value: Any) -> Any:
        return value


def pydantic_core_error(value: str) -> Exception:
    return PydanticCustomError(f"not_{value}", "got {value}", {"value": value})  # type: ignore[misc]


@task
def a_typed_dict(value: Address): ...


@task
def a_nested_typed_dict(value: Options): ...


@task
def an_open_typed_dict(value: OpenOptions): ...


@task
def a_dataclass(value: Point): ...


@task
def a_nested_dataclass(value: Line): ...


@task
def a_pydantic_dataclass(value: CheckedPoint): ...


@task
def a_named_tuple(value: Pair): ...


@task
def a_model(value: Order): ...


@task
def an_open_model(value: OpenItem): ...


@task
def an_open_holder(value: OpenHolder): ...


@task
def an_untagged_union(value: Cat | Dog): ...


@task
def a_careless_model(value: CarelessItem): ...


@task
def an_aliased_model(value: Aliased): ...


@task
def a_recursive_model(value: Node): ...


@task
def a_root_model(value: Names): ...


@task
def a_tagged_union(value: Annotated[Cat | Dog, Field(discriminator="kind")]): ...


@task
def a_union_by_number(value: Annotated[OldCat | NewCat, Field(discriminator="version")]): ...


@task
def a_generic_model(value: Page[Item]): ...


@task
def a_picky_model(value: Picky): ...


@task
def a_strict_model(value: StrictEvent): ...


@task
def a_model_with_validators(value: Event): ...


@task
def models_by_position(first: Item, /, *others: Item): ...


@task
def mixed_by_position(item: Item, level: Level, /): ...


@task
def a_typed_dict_of_reserved_names(value: Typed): ...


@task
def an_ignoring_typed_dict(value: IgnoringOptions): ...


@task
def an_ignoring_dataclass(value: IgnoringPoint): ...


@task
def a_careless_holder(value: CarelessHolder): ...


@task
def a_union_told_apart_by_a_function(
    value: Annotated[
        Annotated[Cat, pydantic.Tag("cat")] | Annotated[Dog, pydantic.Tag("dog")],
        pydantic.Discriminator(kind_of),
    ],
): ...


@task
def two_of_one_name(mine: Order, other: other_corpus.Order): ...


@task
def a_list_of_models(value: list[Order], more: Item | None = None): ...


# Strings with a format, constraints, names for hints.


@task
def a_datetime(value: datetime): ...


@task
def an_aware_datetime(value: pydantic.AwareDatetime): ...


@task
def a_naive_datetime(value: pydantic.NaiveDatetime): ...


@task
def a_list_of_datetimes(value: list[datetime]): ...


@task
def a_dict_by_datetime(value: dict[datetime, int]): ...


@task
def a_date(value: date): ...


@task
def a_date_of_somebodys_parser(
    value: Annotated[date, pydantic.BeforeValidator(lambda value: date(value, 1, 1))],
): ...


@task
def an_enum_of_somebodys_parser(
    value: Annotated[Colour, pydantic.BeforeValidator(lambda value: Colour[value])],
): ...


@task
def a_dict_by_date(value: dict[date, int]): ...


@task
def a_dict_by_enum(value: dict[Colour, int]): ...


@task
def a_past_date(value: pydantic.PastDate): ...


@task
def a_short_list(value: Annotated[list[int], Field(min_length=1, max_length=2)]): ...


@task
def a_short_text(value: Annotated[str, Field(min_length=2, max_length=3)]): ...


@task
def an_even_number(value: Annotated[int, Field(multiple_of=2)]): ...


@task
def a_small_decimal(value: Annotated[decimal.Decimal, Field(max_digits=3, decimal_places=2)]): ...


@task
def a_fraction(value: fractions.Fraction): ...


@task
def a_complex_number(value: complex): ...


@task
def a_json_text(value: pydantic.Json[int]): ...


@task
def a_time(value: time): ...


@task
def a_timedelta(value: timedelta): ...


@task
def a_uuid(value: UUID): ...


@task
def a_decimal(value: decimal.Decimal): ...


@task
def some_bytes(value: bytes): ...


@task
def a_path(value: pathlib.Path): ...


@task
def an_ip_address(value: ipaddress.IPv4Address): ...


@task
def a_url(value: pydantic.HttpUrl): ...


@task
def at_least_one(value: Annotated[int, Field(ge=1)]): ...


@task
def constrained(  # noqa: PLR0913, PLR0917 -- one of each
    share: Annotated[float, Field(gt=1, lt=2)],
    even: Annotated[int, Field(gt=10, multiple_of=4)],
    negative: Annotated[int, Field(lt=-3)],
    name: Annotated[str, Field(min_length=9, max_length=10)],
    short: Annotated[str, Field(max_length=2)],
    names: Annotated[list[str], Field(min_length=2)],
): ...


@task
def a_huge_bound(value: Annotated[int, Field(le=2**70)]): ...


@task
def a_path_like_union(value: UUID | date | ipaddress.IPv6Address | Literal["here"]): ...


@task
def constrained_on_one_side(
    small: Annotated[float, Field(lt=0.5)],
    large: Annotated[float, Field(gt=2)],
    odd: Annotated[int, Field(le=10, multiple_of=7)],
    told: Annotated[str, Field(pattern="^[a-z]{2}$", examples=["de"])],
    either: Annotated[str, Field(pattern="^x$")] | int,
): ...


@task
def with_many_items(value: Annotated[list[int], Field(min_length=101)]): ...


@task
def with_a_long_text(value: Annotated[str, Field(min_length=1001)]): ...


@task
def with_members(value: Annotated[dict[str, int], Field(min_length=1)]): ...


@task
def with_untellable_alternatives(
    value: Annotated[str, Field(pattern="^x$")] | Annotated[str, Field(pattern="^y$")],
): ...


@task
def with_a_strange_schema(value: Annotated[Any, Field(json_schema_extra={"not": {}})]): ...


@task
def with_two_types(value: Annotated[Any, Field(json_schema_extra={"type": ["null"]})]): ...


@task
def with_a_multiple_between(value: Annotated[int, Field(ge=2, lt=7, multiple_of=5)]): ...


@task
def with_a_pattern(value: Annotated[str, Field(pattern=r"^\d{4}-\d\d$")]): ...


UserId = NewType("UserId", int)
Tags = list[str]
type Matrix = list[list[float]]
type Tree = int | list[Tree]
type Branches = str | list[Twigs]
type Twigs = int | dict[str, Branches]
type Table[T] = dict[str, T]
Number = TypeVar("Number")
Bounded = TypeVar("Bounded", bound=int)


@task
def a_new_type(value: UserId): ...


@task
def an_alias(value: Tags): ...


@task
def a_type_alias(value: Matrix): ...


@task
def aliases_in_a_circle(value: Branches): ...


@task
def a_recursive_alias(value: Tree): ...


@task
def a_generic_alias(value: Table[int]): ...


@task
def a_type_variable(value: Number, other: Bounded): ...  # noqa: UP047 -- as old code has it


@task
def type_parameters[T, **P](value: T, function: list[T] | None = None): ...


@task
def parameters_of_another[**P](*args: P.args, **kwargs: P.kwargs): ...


@task
def type_variable_tuple[*Ts](*args: *Ts): ...


@task
def an_unpacked_tuple(*args: *tuple[int, str]): ...


@task
def an_unpacked_typed_dict(first: int, **options: Unpack[Options]): ...


# Hints without a JSON form.


@task
def a_model_instance(user: User): ...


@task
def a_maybe_model_instance(user: User | None): ...


@task
def a_callable(function: Callable[[int], int]): ...


@task
def a_class(kind: type[int]): ...


@task
def an_import(value: pydantic.ImportString[Any]): ...


@task
def an_import_by_name(value: dict[pydantic.ImportString[Any], int]): ...


@task
def an_odder_type(value: Odder): ...


@task
def a_counter(value: collections.Counter[str]): ...


@task
def an_unresolvable_name(value: "Nowhere", number: int): ...  # noqa: F821


@task
def nonsense(value: 1 / 2): ...


@task
def no_type_at_all(value: "not even Python"): ...  # noqa: F722


# Return hints.


@task
def returns_nothing() -> None: ...


@task
def returns_anything() -> Any: ...


@task
def returns_text() -> str: ...


@task
def returns_numbers() -> dict[str, list[int]]: ...


@task
def returns_a_tuple() -> tuple[int, str]: ...


@task
def returns_a_typed_dict() -> Options: ...


@task
def returns_a_str_enum() -> Size: ...


@task
def returns_an_enum() -> Colour: ...


@task
def returns_a_datetime() -> datetime: ...


@task
def returns_a_model() -> Order | None: ...


@task
def returns_an_odder_type() -> Odder: ...


@task
def returns_a_set() -> set[int]: ...


@task
def returns_what_does_not_exist() -> "Nowhere": ...  # noqa: F821
