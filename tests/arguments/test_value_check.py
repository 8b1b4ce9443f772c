"""What is stored is what was sent, whatever the code behind a hint does with a value."""

import copy
import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, WrapValidator, model_validator

from tasks_api.arguments import Arguments


class PopsMember(BaseModel):
    x: int

    @model_validator(mode="before")
    @classmethod
    def pop(cls, data: Any) -> Any:
        data.pop("surplus", None)
        data["x"] = 7
        return data


class ChangesWithin(BaseModel):
    anything: Any

    def model_post_init(self, context: Any) -> None:
        self.anything["changed"] = True


@dataclasses.dataclass
class ChangesWithinToo:
    anything: Any

    def __post_init__(self) -> None:
        self.anything["changed"] = True


def empty(value: Any) -> Any:
    value.clear()
    return value


def empty_around(value: Any, handler: Callable[[Any], Any]) -> Any:
    value.clear()
    return handler(value)


def arguments_of(hint: Any) -> Arguments:
    def function(value: Any, *rest: Any, **others: Any) -> None: ...

    function.__annotations__ = {"value": hint, "rest": hint, "others": hint}
    # Django makes no task of a function that is not a module's own.
    task: Any = SimpleNamespace(func=function, takes_context=False)
    return Arguments.of(task)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (PopsMember, {"x": 1, "surplus": [2]}),
        (list[PopsMember], [{"x": 1, "surplus": [2]}]),
        (dict[str, PopsMember | int], {"a": {"x": 1, "surplus": 2}}),
        (ChangesWithin, {"anything": {"a": 1}}),
        (ChangesWithinToo, {"anything": {"a": 1}}),
        (Annotated[list[int], BeforeValidator(empty)], [1, 2]),
        (Annotated[Any, AfterValidator(empty)], {"a": 1}),
        (Annotated[dict[str, int], WrapValidator(empty_around)], {"a": 1}),
    ],
)
def test_code_behind_a_hint_changes_nothing_of_a_call(hint: Any, value: Any) -> None:
    args = [copy.deepcopy(value), copy.deepcopy(value)]
    kwargs = {"a": copy.deepcopy(value)}
    arguments_of(hint).check(args, kwargs)

    assert args == [value, value]
    assert kwargs == {"a": value}
