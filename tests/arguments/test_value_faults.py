"""What is told of a value that does not fit: one code for one fault, whatever pydantic calls it."""

import inspect
import re
import typing

import pytest
from pydantic_core import core_schema

from tasks_api import faults
from tasks_api.arguments import value_faults
from tasks_api.faults import FAULT_CODES

# It does not depend on the database.
pytestmark = pytest.mark.sqlite

ERROR_TYPES = typing.get_args(core_schema.ErrorType)
# The words that texts take from the context of pydantic's errors.
CONTEXT = dict.fromkeys(re.findall(r"{(\w+)}", inspect.getsource(value_faults)), "…")

# These say something of Python, of a schema or of a validator that no JSON value can be told.
OF_PYTHON = {
    "no_such_attribute",
    "needs_python_object",
    "get_attribute_error",
    "frozen_field",
    "frozen_instance",
    "default_factory_not_called",
    "iteration_error",
    "set_item_not_hashable",
    "value_error",
    "assertion_error",
    "missing_sentinel_error",
    "ellipsis_error",
    "is_instance_of",
    "is_subclass_of",
    "callable_type",
}


def codes_of_arguments() -> set[str]:
    """Return the codes of the section of `FAULT_CODES` that is for arguments."""
    _, _, section = inspect.getsource(faults).partition("# The values of arguments")
    return set(re.findall(r'^    "(\w+)":', section, flags=re.MULTILINE))


@pytest.mark.parametrize("error_type", ERROR_TYPES)
def test_every_error_of_pydantic_has_a_listed_code_and_a_text_in_our_words(error_type: str) -> None:
    code, detail = value_faults.code_and_detail(error_type, CONTEXT)

    assert code in FAULT_CODES
    assert re.fullmatch(r"Should [^{}]+\.", detail)
    assert (code == "value_error") == (error_type in OF_PYTHON)


def test_an_error_that_pydantic_does_not_know_is_of_somebodys_own_validation() -> None:
    assert value_faults.code_and_detail("not_good", {"value": "zq7"}) == value_faults.VALUE_ERROR
    # It is called as one of pydantic's, and lacks what that one says.
    assert (
        value_faults.code_and_detail("greater_than", {"value": "zq7"}) == value_faults.VALUE_ERROR
    )


def test_one_code_has_one_text_for_each_thing_that_would_be_right() -> None:
    told = {value_faults.code_and_detail(each, CONTEXT) for each in ERROR_TYPES}

    assert len({detail for _, detail in told}) == len(told)


def test_no_code_of_arguments_is_listed_that_nothing_tells() -> None:
    used = {value_faults.code_and_detail(each, CONTEXT)[0] for each in ERROR_TYPES}

    assert codes_of_arguments()
    assert codes_of_arguments() <= used
