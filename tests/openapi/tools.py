"""What reads the OpenAPI document, run as a developer runs it: generators, compilers, linters."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
NODE_MODULES = HERE / "node_modules"
SCRIPTS = Path(sys.executable).parent
# What a machine that is busy may need, in seconds.
DEADLINE = 300

# What mypy and tsc say of a line, and what the source says that they should.
_MYPY = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$", re.MULTILINE
)
_TSC = re.compile(r"^(?P<file>[^(\s]+)\((?P<line>\d+),\d+\): error (?P<code>TS\d+):", re.MULTILINE)
_REFUSED = re.compile(r"(?:#|//) refused: (\S+)$")

PROGRAMS_IN_PYTHON = ("main.py", "wrong.py")
PROGRAMS_IN_TYPESCRIPT = ("main.ts", "wrong.ts")

type Complaints = set[tuple[str, int, str]]
"""File, line and code of each."""


def run(
    *command: str | Path,
    cwd: Path = HERE,
    env: dict[str, str] | None = None,
    statuses: tuple[int, ...] = (0,),
) -> str:
    """Run a command and return its standard output; another exit status fails the test."""
    completed = _completed(command, cwd=cwd, env={**os.environ, **(env or {})})
    assert completed.returncode in statuses, completed.stdout + completed.stderr
    return completed.stdout


def run_for_errors(*command: str | Path, cwd: Path, env: dict[str, str]) -> str:
    """Run a command that must fail, in this environment alone, and return its standard error."""
    completed = _completed(command, cwd=cwd, env=env)
    assert completed.returncode == 1, completed.stdout + completed.stderr
    return completed.stderr


def _completed(
    command: tuple[str | Path, ...], *, cwd: Path, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def need_node() -> None:
    """Install what package-lock.json names, unless it is there; skip the test without Node."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("There is no Node.")
    lock, installed = HERE / "package-lock.json", NODE_MODULES / ".package-lock.json"
    with lock.open() as only_one_at_a_time:
        fcntl.flock(only_one_at_a_time, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def node_tool(name: str, *arguments: str | Path, **options: Any) -> str:
    """Run a command of an npm package."""
    need_node()
    # Redocly would ask the network for its latest version, and tell how it was used.
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return run(NODE_MODULES / ".bin" / name, *arguments, env=quiet, **options)


def openapi_python_client(document: Path, package: Path) -> None:
    """Generate a package; a type that the generator leaves out fails the test."""
    run(
        SCRIPTS / "openapi-python-client",
        *("generate", "--path", document, "--output-path", package, "--overwrite"),
        *("--meta", "none", "--fail-on-warning", "--config", HERE / "openapi-python-client.yaml"),
    )


def openapi_generator(generator: str, document: Path, directory: Path) -> None:
    """Generate a client with the Java program; skip the test without Java."""
    if not shutil.which("java"):
        pytest.skip("There is no Java.")
    run(
        SCRIPTS / "openapi-generator-cli",
        *("generate", "-g", generator, "-i", document, "-o", directory),
        "--global-property=apiDocs=false,apiTests=false,modelDocs=false,modelTests=false",
        # A program that runs once is not worth compiling well.
        env={"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"},
    )


def openapi_typescript(document: Path, types: Path) -> None:
    """Generate a file of types, for openapi-fetch."""
    node_tool("openapi-typescript", document, "--output", types)


def mypy(directory: Path) -> Complaints:
    """Check the programs in a directory; what they import is read, not judged."""
    output = run(
        *(sys.executable, "-m", "mypy", "--config-file=", "--strict", "--follow-imports=silent"),
        *("--cache-dir=.mypy_cache", "--no-pretty", "--no-error-summary"),
        *PROGRAMS_IN_PYTHON,
        cwd=directory,
        statuses=(0, 1),
    )
    return _complaints(_MYPY, output)


def tsc(directory: Path, *, module: str) -> Complaints:
    """Compile the programs in a directory to `main.js` and the like, strictly."""
    need_node()
    (directory / "node_modules").symlink_to(NODE_MODULES)
    (directory / "package.json").write_text(
        '{"type": "%s"}' % ("commonjs" if module == "commonjs" else "module")
    )
    output = node_tool(
        "tsc",
        *("--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--target", "es2022"),
        *("--module", module, "--esModuleInterop", "--types", "node", "--pretty", "false"),
        *PROGRAMS_IN_TYPESCRIPT,
        cwd=directory,
        statuses=(0, 1, 2),
    )
    return _complaints(_TSC, output)


def expected_complaints(directory: Path) -> Complaints:
    """Read from the programs in a directory which of their lines should be refused."""
    return {
        (path.name, number, refused[1])
        for path in directory.iterdir()
        if path.suffix in {".py", ".ts"}
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (refused := _REFUSED.search(line))
    }


def _complaints(pattern: re.Pattern[str], output: str) -> Complaints:
    found = {
        (match["file"], int(match["line"]), match["code"]) for match in pattern.finditer(output)
    }
    assert found or not output.strip(), output
    return found
