"""`TASKS_API`: what is wrong is told when a process starts, and what depends on it follows changes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tasks_api.backends import adapter_for
from tasks_api.conf import tasks_api_settings
from tests.live_service import DEADLINE, PROJECT


def refusal(given: Any) -> str:
    with override_settings(TASKS_API=given), pytest.raises(ImproperlyConfigured) as refused:
        tasks_api_settings()
    return str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("TASKS", "service.tasks.*", "a list of strings, not 'service.tasks.*'"),
        ("TASKS", ["*", 1, 2], "a list of strings, not ['*', 1, 2]"),
        ("MAX_DEPTH", "32", "a whole number, 2 to 200, not '32'"),
        ("MAX_DEPTH", 1, "a whole number, 2 to 200, not 1"),
        ("MAX_BODY_BYTES", True, "a whole number, 1024 to 100000000, not True"),
        ("LOST_AFTER_SECONDS", 0, "a whole number, 1 to 86400, not 0"),
        ("LOST_AFTER_SECONDS", 30.0, "a whole number, 1 to 86400, not 30.0"),
        ("RETENTION_DAYS", -1, "a whole number, 0 to 36500, not -1"),
        ("RETENTION_DAYS", None, "a whole number, 0 to 36500, not None"),
        ("RETENTION_DAYS_FAILED", 36_501, "a whole number, 0 to 36500, or None, not 36501"),
        ("RETENTION_DAYS_FAILED", "14", "a whole number, 0 to 36500, or None, not '14'"),
        ("PUBLIC_CATALOGUE", "on", "True or False, not 'on'"),
        ("TRACEBACKS", "all", "owner, admin or none, not 'all'"),
        ("CLIENT_OF", None, "a string, not None"),
        ("PUBLIC_URL", None, "a URL, such as https://tasks.example.org, not None"),
        ("PUBLIC_URL", "ftp://host", "a URL, such as https://tasks.example.org, not 'ftp://host'"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(key: str, value: Any, rule: str) -> None:
    assert refusal({key: value}) == f"TASKS_API[{key!r}] must be {rule}."


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "not []."),
        ("{}", "not '{}'."),
        ({3: {}}, "not {3: {}} (3: should be a pattern)."),
        ({"a.*": []}, "not {'a.*': []} (a.*: should be a dict)."),
        (
            {"a.*": {"max_attempts": 26}},
            "not {'a.*': {'max_attempts': 26}} (a.*: max_attempts: should be less than or equal to 25).",
        ),
        (
            {"a.*": {"retry_on": ["OSError"]}},
            "not {'a.*': {'retry_on': ['OSError']}} (a.*: retry_on.0: should be the dotted path of an "
            "exception, such as builtins.OSError).",
        ),
    ],
)
def test_a_wrong_policy_is_told_with_its_pattern_and_key(value: Any, why: str) -> None:
    rule = 'an object such as `{"shop.tasks.*": {"max_attempts": 5, "timeout_seconds": 30}}`'

    assert refusal({"POLICIES": value}) == f"TASKS_API['POLICIES'] must be {rule}, {why}"


def test_an_unknown_key_is_told_with_those_that_there_are() -> None:
    message = refusal({"TASK": ["*"]})

    assert message.startswith("TASKS_API has no setting 'TASK'; allowed: TASKS, PUBLIC_URL, ")
    assert refusal({3: 4}).startswith("TASKS_API has no setting 3; allowed: TASKS, ")


def test_all_that_is_wrong_is_told_at_once() -> None:
    lines = refusal({"MAX_DEPTH": 1, "TASK": [], "TRACEBACKS": ""}).splitlines()

    assert [line.split(" must ")[0].split(";")[0] for line in lines] == [
        "TASKS_API['MAX_DEPTH']",
        "TASKS_API['TRACEBACKS']",
        "TASKS_API has no setting 'TASK'",
    ]


def test_what_is_no_dict_is_refused() -> None:
    assert refusal(["service.tasks.*"]) == "TASKS_API must be a dict."
    assert refusal(None) == "TASKS_API must be a dict."


def test_an_empty_setting_has_the_defaults() -> None:
    with override_settings(TASKS_API={}):
        given = tasks_api_settings()

    assert (given.tasks, given.max_depth, given.retention_days_failed) == ((), 32, None)


@pytest.mark.sqlite
def test_a_process_does_not_start_with_a_wrong_value(tmp_path: Path) -> None:
    (tmp_path / "wrong_settings.py").write_text(
        "from tests.settings import *\nTASKS_API = {'LOST_AFTER_SECONDS': 0}\n"
    )
    command = [sys.executable, "-m", "django", "worker", "--batch"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "wrong_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT)]),
    }

    started = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert started.returncode == 1
    assert started.stderr.splitlines()[-1] == (
        "django.core.exceptions.ImproperlyConfigured: "
        "TASKS_API['LOST_AFTER_SECONDS'] must be a whole number, 1 to 86400, not 0."
    )


def test_what_was_kept_is_let_go_of_when_any_setting_changes() -> None:
    adapter, given = adapter_for("default"), tasks_api_settings()
    assert (adapter_for("default"), tasks_api_settings()) == (adapter, given)
    assert tasks_api_settings() is given

    with override_settings(USE_TZ=False):
        assert adapter_for("default") is not adapter
        assert tasks_api_settings() is not given
