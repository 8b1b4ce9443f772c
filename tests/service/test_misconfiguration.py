"""Misconfiguration is reported without a traceback; bugs keep theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from service.database import secret_key
from service.environment import read_environment
from service.mail import mailer, settings_before_mailers
from service.misconfiguration import exit_on_misconfiguration
from tasks_api.conf import TasksApiSettings
from tests.live_service import DEADLINE, PROJECT

pytestmark = pytest.mark.sqlite

HUSH = "hush-which-is-a-secret-of-these-tests"


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


def test_help_tells_of_run_whether_or_not_there_are_settings(tmp_path: Path) -> None:
    unset = {"SECRET_KEY": "", "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"}

    assert "run" in manage(**unset).stdout.split()
    assert "--tasks DIRECTORY" in manage("help", "run", **unset).stdout
    commands = manage("help", "--commands", SECRET_KEY=HUSH).stdout.split()
    assert {"run", "worker", "create_client", "prune"} <= set(commands)


def test_without_a_secret_key_commands_say_so_in_one_line(tmp_path: Path) -> None:
    refused = manage("migrate", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}", SECRET_KEY="")

    assert refused.returncode == 1
    assert refused.stderr == (
        "SECRET_KEY is not set; `python -m service run` generates one for local use.\n"
    )


def test_a_command_without_a_database_says_so_in_one_line(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'missing' / 'db.sqlite3'}"

    refused = manage(
        "migrate", DATABASE_URL=database_url, SECRET_KEY="only-for-tests-which-everybody-may-read"
    )

    assert refused.returncode == 1
    assert refused.stderr == "The database cannot be used: unable to open database file\n"


def test_a_command_on_an_empty_database_says_what_to_run(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'db.sqlite3'}"

    refused = manage("list_clients", DATABASE_URL=database_url, SECRET_KEY=HUSH)

    assert refused.returncode == 1
    assert refused.stderr == "The database has no tables yet: run `migrate` first.\n"


def test_a_message_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exit_on_misconfiguration():
        raise OperationalError("connection failed:\n\tIs the server running?\n")

    assert ended.value.code == (
        "The database cannot be used: connection failed: Is the server running?"
    )


def test_a_module_that_is_missing_for_another_reason_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASK_APPS", "bakery,shop.tasks_of_ours")

    with pytest.raises(ModuleNotFoundError, match="oven"), exit_on_misconfiguration():
        raise ModuleNotFoundError("No module named 'oven'", name="oven")
    with pytest.raises(SystemExit, match="TASK_APPS"), exit_on_misconfiguration():
        raise ModuleNotFoundError("No module named 'shop'", name="shop")


@pytest.mark.parametrize("given", ["", " ", "8", " 8 "])
def test_a_whole_number_is_read_and_blank_means_the_default(given: str) -> None:
    assert read_environment({"WEB_THREADS": given}).web_threads == 8


@pytest.mark.parametrize("given", ["1", "257", "-2", "2.0", "٣", "seven", "9" * 5000])
def test_what_is_no_whole_number_within_bounds_is_refused(given: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment({"WEB_THREADS": given})

    message = str(refused.value)
    assert message.startswith("WEB_THREADS must be a whole number, 2 to 256, not ")
    assert given[:5] in message
    assert len(message) < 100


@pytest.mark.parametrize(
    ("given", "value"),
    [("on", True), ("True", True), ("1", True), (" yes ", True), ("OFF", False), ("", False)],
)
def test_a_switch_is_read(given: str, value: bool) -> None:
    assert read_environment({"PUBLIC_CATALOGUE": given}).tasks_api["PUBLIC_CATALOGUE"] is value


def test_a_list_is_read_and_blank_means_that_it_has_no_entries() -> None:
    given = {"ALLOWED_HOSTS": "a.example, b.example,", "TASKS_API_TASKS": ""}

    environment = read_environment(given)

    assert environment.allowed_hosts == ("a.example", "b.example")
    assert environment.tasks_api["TASKS"] == ()


def test_policies_are_read_from_json_and_blank_means_none() -> None:
    given = {"POLICIES": '{"shop.*": {"max_attempts": 5, "timeout_seconds": 1}, "*": {}}'}

    own = TasksApiSettings.checked(read_environment(given).tasks_api)

    assert list(own.policies) == ["shop.*", "*"]
    assert own.policies["shop.*"].said == {"max_attempts": 5, "timeout_seconds": 1.0}
    assert read_environment({"POLICIES": " "}).tasks_api["POLICIES"] == {}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("[1]", ""),
        ("null", ""),
        ("5 attempts", " (cannot be read: Extra data: line 1 column 3 (char 2))"),
        (
            '{"a": {},}',
            " (cannot be read: Illegal trailing comma before end of object: line 1 colu",
        ),
        ('{"a": {}, "a": {}}', " (cannot be read: a is there twice)"),
        ("[" * 100_000, " (cannot be read: maximum recursion depth exceeded"),
        ('{"a.*": 5}', " (a.*: should be a dict)"),
        ('{"a.*": {"retries": 5}}', " (a.*: retries: unknown; allowed: max_attempts, backoff, "),
        ('{"a.*": {"max_attempts": 0}}', " (a.*: max_attempts: should be greater than or equal to"),
        ('{"a.*": {"timeout_seconds": NaN}}', " (a.*: timeout_seconds: should be a finite number)"),
        ('{"a.*": {"backoff": {"max": "1"}}}', " (a.*: backoff.max: should be a number)"),
    ],
)
def test_wrong_policies_are_told_in_one_line_with_the_place(given: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment({"POLICIES": given})

    (line,) = str(refused.value).splitlines()
    assert line.startswith(
        'POLICIES must be an object such as `{"shop.tasks.*": {"max_attempts": 5, '
    )
    assert f"{why}." in line if why.endswith(")") or not why else why in line
    assert len(line) < 400


def test_what_is_not_set_has_the_defaults_of_the_app_but_for_a_few() -> None:
    environment = read_environment({})

    own = TasksApiSettings.checked(
        {"TASKS": ["service.tasks.*"], "RETENTION_DAYS": 14, "MAX_WAITING": 500}
    )
    assert TasksApiSettings.checked(environment.tasks_api) == own
    assert environment.port == 8000


def test_several_wrong_variables_are_told_at_once_and_no_secret_is() -> None:
    given = {
        "SECRET_KEY": "hush",
        "DATABASE_URL": "postgres://somebody:hush@host/name",
        "PORT": "eighty",
        "PUBLIC_URL": "https://[",
        "RETENTION_DAYS_FAILED": "36501",
    }

    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment(given)

    assert str(refused.value).splitlines() == [
        "SECRET_KEY must be a random text of at least 32 characters, such as `openssl rand -hex 32` "
        "prints.",
        "PORT must be a whole number, 1 to 65535, not 'eighty'.",
        "PUBLIC_URL must be a URL, such as https://tasks.example.org, not 'https://[' (Invalid IPv6 URL).",
        "RETENTION_DAYS_FAILED must be a whole number, 0 to 36500, not 36501.",
    ]
    secrets = dict.fromkeys(("SECRET_KEY", "SECRET_KEY_FALLBACKS", "CACHE_URL", "EMAIL_URL"), HUSH)
    assert HUSH not in repr(read_environment(secrets))


@pytest.mark.parametrize("given", ["a", "a" * 100, "abcd" * 20, "0123456789abcdef" * 2 + "\n"])
def test_a_secret_key_that_is_easy_to_guess_is_refused(given: str, tmp_path: Path) -> None:
    (tmp_path / ".secret_key").write_text(given)
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    nothing_set = read_environment({})
    if len(given.strip()) == 32:
        assert secret_key(nothing_set, database) == given.strip()
        assert read_environment({"SECRET_KEY": given.strip()}).secret_key == given.strip()
        return

    with pytest.raises(ImproperlyConfigured, match=r"\.secret_key contains no key of at least 32"):
        secret_key(nothing_set, database)
    with pytest.raises(
        ImproperlyConfigured, match=r"^SECRET_KEY must be a random text of at least"
    ):
        read_environment({"SECRET_KEY": given})


def test_a_secret_key_can_be_replaced() -> None:
    old, older = HUSH + "-1", HUSH + "-2"
    code = "from django.conf import settings; print(settings.SECRET_KEY_FALLBACKS)"
    shown = manage(
        *("shell", "--verbosity=0", f"--command={code}"),
        SECRET_KEY=HUSH,
        SECRET_KEY_FALLBACKS=f"{old},{older}",
    )

    assert shown.stdout == f"{[old, older]}\n", shown.stderr


def test_a_command_does_not_start_with_such_a_key() -> None:
    refused = manage("check", SECRET_KEY="a")

    assert refused.returncode == 1
    assert refused.stderr == (
        "SECRET_KEY must be a random text of at least 32 characters, "
        "such as `openssl rand -hex 32` prints.\n"
    )


@pytest.mark.parametrize(
    "url", ["mail.example", "smtp://", "smtp://mail.example:port", "http://mail.example"]
)
def test_what_is_not_the_url_of_a_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL is not the URL of a mail server"):
        mailer(url)


def test_a_mail_server_has_the_usual_port_and_a_password_with_any_characters() -> None:
    options = mailer("smtp+tls://tasks:p%40ss@mail.example")["OPTIONS"]

    assert (options["host"], options["port"], options["password"]) == ("mail.example", 587, "p@ss")
    assert (options["use_tls"], options["use_ssl"]) == (True, False)
    assert mailer("smtp+ssl://mail.example:4465")["OPTIONS"]["port"] == 4465
    settings = settings_before_mailers(mailer("smtp://tasks:p%40ss@mail.example"))
    assert settings["EMAIL_HOST_PASSWORD"] == "p@ss"
    assert settings["EMAIL_PORT"] == 25


def test_only_its_owner_can_read_a_sqlite_database_and_what_sqlite_puts_beside_it(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    manage("migrate", "--verbosity=0", SECRET_KEY=HUSH, DATABASE_URL=url)
    # While a connection that has written is open, there are all three files.
    code = (
        "import os; from tasks_api.models import Client; Client.objects.create(name='a');"
        "print(*(oct(e.stat().st_mode & 0o777) for e in os.scandir(os.environ['D'])))"
    )
    shown = manage("shell", "-v0", f"-c={code}", SECRET_KEY=HUSH, DATABASE_URL=url, D=str(tmp_path))

    assert shown.stdout.split() == ["0o600"] * 3, shown.stderr


def test_an_older_database_that_everybody_can_read_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    file.touch(0o644)
    file.chmod(0o644)
    checked = manage("check", SECRET_KEY=HUSH, DATABASE_URL=f"sqlite:///{file}")

    assert checked.returncode == 0
    assert f"chmod o= {file}" in checked.stderr
    file.chmod(0o640)
    assert (
        "service.W001"
        not in manage("check", SECRET_KEY=HUSH, DATABASE_URL=f"sqlite:///{file}").stderr
    )
