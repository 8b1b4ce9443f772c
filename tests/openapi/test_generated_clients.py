"""Clients of four generators: they run against the live service, and their types refuse mistakes."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live_service import LiveService
from tests.openapi import tools

# Once is enough: no client can tell which database it is.
pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Kind:
    """
    A kind of client; `clients/NAME` holds two programs for it: `main`, and `wrong`, full of mistakes.

    Attributes:
        generate: writes the client of a document beside the programs.
        check: has a type checker read the programs.
        command: what runs `main`.

    """

    generate: Callable[[Path, Path], None]
    check: Callable[[Path], tools.Complaints]
    command: tuple[str, str]


KINDS = {
    "openapi_python_client": Kind(
        lambda document, beside: tools.openapi_python_client(document, beside / "tasks_api_client"),
        tools.mypy,
        (sys.executable, "main.py"),
    ),
    "openapi_generator_python": Kind(
        lambda document, beside: tools.openapi_generator("python", document, beside),
        tools.mypy,
        (sys.executable, "main.py"),
    ),
    "openapi_generator_axios": Kind(
        lambda document, beside: tools.openapi_generator(
            "typescript-axios", document, beside / "generated"
        ),
        # What it generates imports files without their extension, as ES modules may not.
        lambda beside: tools.tsc(beside, module="commonjs"),
        ("node", "main.js"),
    ),
    "openapi_fetch": Kind(
        lambda document, beside: tools.openapi_typescript(
            document, beside / "generated" / "schema.d.ts"
        ),
        lambda beside: tools.tsc(beside, module="nodenext"),
        ("node", "main.js"),
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_generated_client_runs_tasks_and_its_types_refuse_mistakes(
    name: str, served_document: Path, tmp_path: Path, service: LiveService, token: str
) -> None:
    shutil.copytree(tools.HERE / "clients" / name, tmp_path, dirs_exist_ok=True)
    kind = KINDS[name]
    kind.generate(served_document, tmp_path)

    # What is missing, misspelt or of another type, and no more.
    mistakes = tools.expected_complaints(tmp_path)
    assert len(mistakes) >= 3
    assert kind.check(tmp_path) == mistakes

    output = tools.run(*kind.command, service.url, token, cwd=tmp_path)
    assert json.loads(output) == [
        "Hello, Ada!",
        2**40 + 1,
        "invalid_arguments",
        ["Hello, Ada!", 2**40 + 1, 2],
        ["tasks_api.exceptions.TaskCancelled", "Hello, Ada!"],
    ]
