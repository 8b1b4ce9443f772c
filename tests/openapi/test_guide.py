"""The guide to generated clients: `make clients`, and the code it shows, as it stands there."""

import re
import sys
from pathlib import Path

import pytest

from tests.live_service import PROJECT, LiveService
from tests.openapi import tools

# Once is enough: no client can tell which database it is.
pytestmark = pytest.mark.postgres

GUIDE = PROJECT / "docs" / "generated-clients.md"
SHOWN_URL = "http://127.0.0.1:8000"


def code_of(language: str, service: LiveService) -> str:
    """Return the guide's program, for the service of the tests."""
    text = GUIDE.read_text()
    (program,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len([line for line in program.splitlines() if line]) <= 13
    assert SHOWN_URL in program
    return program.replace(SHOWN_URL, service.url)


def test_the_guide_shows_programs_that_run(
    service: LiveService, token: str, tmp_path: Path
) -> None:
    tools.need_node()
    # What is installed stays as it is: other tests use it meanwhile.
    nothing_new = ("--assume-old=setup", "--assume-old=.venv/.installed")
    tools.run("make", *nothing_new, "clients", f"CLIENTS={tmp_path}/clients", cwd=PROJECT)
    key = {"TASKS_API_KEY": token}

    tmp_path.joinpath("guide.py").write_text(code_of("python", service))
    path = {"PYTHONPATH": str(tmp_path / "clients" / "python")}
    assert tools.run(sys.executable, "guide.py", cwd=tmp_path, env=key | path) == "Hello, Ada!\n"

    tmp_path.joinpath("main.ts").write_text(code_of("typescript", service))
    tmp_path.joinpath("wrong.ts").write_text("export {};\n")
    assert tools.tsc(tmp_path, module="nodenext") == set()
    assert tools.run("node", "main.js", cwd=tmp_path, env=key) == "Hello, Ada!\n"
