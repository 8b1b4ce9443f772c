"""What whoever starts the service can mend is told in one line; what is a bug is not hidden."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from service.environment import switch, whole_number
from service.misconfiguration import told_in_one_line
from tests.live_service import DEADLINE, PROJECT

pytestmark = pytest.mark.sqlite


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=PROJECT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_without_a_secret_key_commands_say_so_in_one_line(tmp_path: Path) -> None:
    refused = manage("migrate", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}", SECRET_KEY="")

    assert refused.returncode == 1
    assert refused.stderr == (
        "SECRET_KEY is not set; `python -m service run` makes one for a trial.\n"
    )


def test_a_command_without_a_database_says_so_in_one_line(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'missing' / 'db.sqlite3'}"

    refused = manage("migrate", DATABASE_URL=database_url, SECRET_KEY="only-for-tests")

    assert refused.returncode == 1
    assert refused.stderr == "The database cannot be used: unable to open database file\n"


def test_a_message_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, told_in_one_line():
        raise OperationalError("connection failed:\n\tIs the server running?\n")

    assert ended.value.code == (
        "The database cannot be used: connection failed: Is the server running?"
    )


def test_a_module_that_is_missing_for_another_reason_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASK_APPS", "bakery,shop.tasks_of_ours")

    with pytest.raises(ModuleNotFoundError, match="oven"), told_in_one_line():
        raise ModuleNotFoundError("No module named 'oven'", name="oven")
    with pytest.raises(SystemExit, match="TASK_APPS"), told_in_one_line():
        raise ModuleNotFoundError("No module named 'shop'", name="shop")


@pytest.mark.parametrize("given", ["", " ", "7", " 7 "])
def test_a_whole_number_is_read_and_blank_means_the_default(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAVES", given)

    assert whole_number("LOAVES", default=7, minimum=1, maximum=9) == 7


@pytest.mark.parametrize("given", ["0", "10", "-1", "1.0", "٣", "seven", "9" * 5000])
def test_what_is_no_whole_number_within_bounds_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAVES", given)

    with pytest.raises(ImproperlyConfigured, match="LOAVES must be a whole number, 1 to 9"):
        whole_number("LOAVES", default=7, minimum=1, maximum=9)


@pytest.mark.parametrize(
    ("given", "value"), [("on", True), ("True", True), ("1", True), ("OFF", False), ("", False)]
)
def test_a_switch_is_read(given: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDS", given)

    assert switch("SEEDS", default=not value) is value


def test_an_unset_switch_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDS", raising=False)

    assert switch("SEEDS", default=True) is True
