"""How the calls of task types become components of the OpenAPI document."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks_api.arguments import Arguments
from tasks_api.http.openapi.call_components import CallComponents
from tasks_api.http.openapi.portable_schemas import only_used, portable, without_endless_arrays
from tests.arguments import signatures_corpus as corpus

PATHS = st.lists(
    st.sampled_from(["a", "b", "say_hello", "sayHello", "tasks"]), min_size=2, max_size=4
).map(".".join)


def calls_of(
    *names: str, reserved: tuple[str, ...] = (), task: Any = corpus.nothing
) -> CallComponents:
    arguments = Arguments.of(task)
    task_types: Any = [
        SimpleNamespace(name=name, description="", arguments=arguments, task=task) for name in names
    ]
    return CallComponents.of(task_types, reserved=reserved)


def mapping(calls: CallComponents) -> dict[str, str]:
    return {
        task: reference.rpartition("/")[2]
        for task, reference in calls.body["discriminator"]["mapping"].items()
    }


def test_a_call_is_called_as_its_function() -> None:
    assert mapping(calls_of("shop.tasks.say_hello")) == {"shop.tasks.say_hello": "SayHelloRequest"}


def test_functions_of_one_name_are_told_apart_by_their_modules() -> None:
    assert mapping(calls_of("shop.tasks.refund", "crm.tasks.refund", "crm.tasks.pay")) == {
        "crm.tasks.pay": "PayRequest",
        "crm.tasks.refund": "CrmTasksRefundRequest",
        "shop.tasks.refund": "ShopTasksRefundRequest",
    }


def test_names_that_differ_by_their_case_alone_are_told_apart_by_a_number() -> None:
    assert mapping(calls_of("shop.tasks.say_hello", "shop.tasks.sayHello")) == {
        "shop.tasks.sayHello": "ShopTasksSayHelloRequest",
        "shop.tasks.say_hello": "ShopTasksSayHello2Request",
    }


def test_a_call_leaves_the_names_of_answers_alone() -> None:
    assert mapping(calls_of("shop.tasks.pay", reserved=("PayRequest",))) == {
        "shop.tasks.pay": "ShopTasksPayRequest"
    }


@given(st.sets(PATHS))
def test_no_two_components_bear_one_name(paths: set[str]) -> None:
    calls = calls_of(*paths, task=corpus.two_of_one_name, reserved=("Item", "AItemRequest"))
    if paths:
        names = set(mapping(calls).values())
        assert len({name.casefold() for name in calls.components}) == len(calls.components)
        assert len(names) == len(paths)
        assert names < set(calls.components)


def test_without_task_types_any_call_is_described() -> None:
    calls = calls_of()

    assert calls.components == {}
    assert calls.body["required"] == ["task"]


def test_titles_go_and_members_called_so_stay() -> None:
    titled = {
        "title": "Order",
        "type": "object",
        "properties": {"title": {"type": "string", "title": "Title", "examples": [{"title": 1}]}},
    }

    assert portable(titled) == {
        "type": "object",
        "properties": {"title": {"type": "string", "examples": [{"title": 1}]}},
    }


def test_null_is_a_constant_unless_it_is_one_of_several_types() -> None:
    assert portable({"type": "array", "items": {"type": "null"}}) == {
        "type": "array",
        "items": {"const": None},
    }
    choice = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert portable(choice) == choice


def test_an_enum_of_several_types_becomes_one_for_each() -> None:
    assert portable({"enum": ["fast", 1, None, "slow"], "description": "Which."}) == {
        "description": "Which.",
        "anyOf": [
            {"type": "string", "enum": ["fast", "slow"]},
            {"type": "integer", "enum": [1]},
            {"type": "null"},
        ],
    }
    assert portable({"enum": ["fast", "slow"]}) == {"enum": ["fast", "slow"]}


def test_an_enum_of_fractions_becomes_a_number() -> None:
    assert portable({"type": "number", "enum": [0.5, 1.0]}) == {"type": "number"}
    assert portable({"enum": ["all", 0.5]}) == {
        "anyOf": [{"type": "string", "enum": ["all"]}, {"type": "number"}]
    }


def test_what_contains_itself_without_an_object_is_described_one_level_deep() -> None:
    def reference(name: str) -> dict[str, str]:
        return {"$ref": f"#/$defs/{name}"}

    tree = {"anyOf": [{"type": "integer"}, {"type": "array", "items": reference("Tree")}]}
    node = {"type": "object", "properties": {"next": reference("Node"), "tree": reference("Tree")}}

    assert without_endless_arrays({"Tree": tree, "Node": node}) == {
        "Tree": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {}}]},
        "Node": node,
    }


def test_definitions_that_nothing_refers_to_are_left_out() -> None:
    definitions = {
        "Used": {"type": "array", "items": {"$ref": "#/$defs/Further"}},
        "Further": {"type": "string"},
        "Unused": {"type": "string"},
    }
    schema = {"properties": {"used": {"$ref": "#/$defs/Used"}}, "$defs": definitions}

    assert set(only_used(definitions, by=[schema])) == {"Used", "Further"}
