"""The codes of `errors`: one list, on the page that explains them, and what the code reports."""

import ast
from collections.abc import Iterator
from pathlib import Path

from django.test import Client

import tasks_api
from tasks_api.backends.list_filters import list_filters
from tasks_api.faults import FAULT_CODES

SOURCES = Path(tasks_api.__file__).parent


def literals() -> Iterator[tuple[str, str]]:
    """Yield each text in the code of the app, with the name of its module."""
    for path in SOURCES.rglob("*.py"):
        if path.name != "faults.py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value, path.name


def reported() -> Iterator[tuple[str, str]]:
    """Yield each code that is spelled where a fault is made, with the name of the module."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="Fault") | ast.Attribute(ast.Name(id="Fault"), "at"),
                    args=[ast.Constant(value=code), *_],
                ):
                    yield str(code), path.name


def test_every_code_that_is_reported_is_listed() -> None:
    spelled = set(reported())
    assert len(spelled) > 20
    assert {one for one in spelled if one[0] not in FAULT_CODES} == set()
    assert {one.code for one in list_filters.values()} <= FAULT_CODES.keys()


def test_every_code_that_is_listed_is_used() -> None:
    texts = {text for text, _ in literals()}

    assert [code for code in FAULT_CODES if code not in texts] == []


def test_the_page_of_problems_explains_every_code() -> None:
    page = Client().get("/problems/").content.decode()

    for code, explanation in FAULT_CODES.items():
        assert f'id="errors-{code}"' in page
        assert explanation.split("`")[0].split("'")[0] in page
