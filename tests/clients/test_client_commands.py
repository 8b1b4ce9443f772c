"""The commands that create clients, give them keys and take these back."""

import io
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import ProtectedError
from django.test import override_settings
from django.utils import timezone

from tasks_api.clients import keys
from tasks_api.models import Client, ClientKey
from tests.conftest import MigratedDatabase
from tests.live_service import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_create_client_prints_the_key_alone() -> None:
    out, err = run("create_client", "billing")

    assert re.fullmatch(r"tk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\n", out)
    assert err == ""
    caller = keys.caller_with(out.strip())
    assert caller is not None
    assert caller.name == "billing"
    assert caller.scopes == {"enqueue", "read", "cancel"}
    assert (caller.task_patterns, caller.rate, caller.key_expires_at) == (("*",), None, None)


def test_create_client_takes_scopes_patterns_and_a_rate() -> None:
    out, err = run(
        *("create_client", "billing", "--scope=read", "--scope=admin"),
        *("--task=service.tasks.*", "--task=tests.tasks.echo", "--rate=100/min"),
    )
    caller = keys.caller_with(out.strip())

    assert caller is not None
    assert caller.scopes == {"read", "admin"}
    assert caller.task_patterns == ("service.tasks.*", "tests.tasks.echo")
    assert str(caller.rate) == "100/min"
    assert err == ""


def test_a_pattern_that_matches_no_task_type_is_told_with_what_is_close_to_it() -> None:
    _, told = run(
        *("create_client", "billing", "--task=service.task.*", "--task=service.tasks.*"),
        *("--task=shop.*",),
    )
    with override_settings(TASKS_API={"TASKS": ["service.tasks.add"]}):
        _, of_hidden = run("create_client", "other", "--task=service.tasks.fail")

    first, second = told.splitlines()
    assert first.startswith(
        "The pattern service.task.* matches no exposed task type; close to it: "
    )
    assert "service.tasks.*" in first
    assert second == "The pattern shop.* matches no exposed task type."
    assert of_hidden == (
        "The pattern service.tasks.fail matches service.tasks.fail, "
        "which TASKS_API['TASKS'] does not expose.\n"
    )


@pytest.mark.sqlite
@pytest.mark.sqlite
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "service", "list_clients"],
        ["-m", "service", "create_key", "tests"],
        ["-m", "service", "help"],
        ["-m", "django", "list_clients"],
        ["-m", "django", "prune"],
        ["-m", "service.settings_page"],
    ],
    ids=" ".join,
)
def test_a_command_ends_without_a_traceback_when_nobody_reads_its_output(
    migrated_database: MigratedDatabase, command: list[str]
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    environment = {
        **os.environ,
        "DATABASE_URL": migrated_database.url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    with os.fdopen(write_end, "wb") as nobody:
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=PROJECT,
            env=environment,
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["project"],
        [""],
        ["a b"],
        ["a\n"],
        ["-a"],
        ["é"],
        ["x" * 65],
        ["a", "--rate=0/min"],
        ["a", "--rate=100"],
        ["a", "--rate=-1/min"],
        ["a", "--rate=1/year"],
        ["a", "--rate=1/min\n"],
        ["a", "--task="],
        ["a", "--scope=everything"],
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_created(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run("create_client", "--", *arguments) if arguments[0] == "-a" else run(
            "create_client", *arguments
        )

    assert not Client.objects.exists()


def test_a_name_is_used_once() -> None:
    run("create_client", "billing")
    with pytest.raises(CommandError, match="already a client called"):
        run("create_client", "billing")

    assert ClientKey.objects.count() == 1


def test_create_key_prints_one_more_key_with_an_end() -> None:
    first, _ = run("create_client", "billing")
    second, err = run("create_key", "billing", "--expires-in-days", "30")

    assert err == ""
    assert first != second
    caller = keys.caller_with(second.strip())
    assert caller is not None
    assert caller.key_expires_at is not None
    remaining = caller.key_expires_at - timezone.now()
    assert timedelta(days=29) < remaining <= timedelta(days=30)


@pytest.mark.parametrize(
    "arguments",
    [["nobody"], ["billing", "--expires-in-days=0"], ["billing", "--expires-in-days=40000"]],
)
def test_create_key_refuses_what_makes_no_sense(arguments: list[str]) -> None:
    run("create_client", "billing")
    with pytest.raises(CommandError):
        run("create_key", *arguments)

    assert ClientKey.objects.count() == 1


def test_revoke_key_ends_one_key_for_good() -> None:
    first, _ = run("create_client", "billing")
    second, _ = run("create_key", "billing")

    assert run("revoke_key", first.split("_")[1]) == ("", "Revoked.\n")
    assert run("revoke_key", first.split("_")[1]) == ("", "The key is already revoked.\n")

    assert keys.caller_with(first.strip()) is None
    assert keys.caller_with(second.strip()) is not None
    with pytest.raises(CommandError, match="no key with this id"):
        run("revoke_key", "nothing")


def test_a_client_is_disabled_and_enabled_again() -> None:
    key, _ = run("create_client", "billing")
    run("create_client", "other")

    assert run("disable_client", "billing") == ("", "Disabled.\n")
    assert run("disable_client", "billing") == ("", "The client is already disabled.\n")
    billing, _, other, _ = run("list_clients")[0].splitlines()
    assert billing == ("billing  scopes: enqueue, read, cancel  tasks: *  rate: none  disabled")
    assert "disabled" not in other
    assert keys.caller_with(key.strip()) is None

    assert run("enable_client", "billing") == ("", "Enabled.\n")
    assert run("enable_client", "billing") == ("", "The client is already enabled.\n")
    assert "disabled" not in run("list_clients")[0]
    assert keys.caller_with(key.strip()) is not None
    for command in ("disable_client", "enable_client"):
        with pytest.raises(CommandError, match="no client with this name"):
            run(command, "nobody")


def test_list_clients_shows_everything_but_secrets() -> None:
    key, _ = run("create_client", "billing", "--rate=5/s", "--task=shop.*", "--scope=read")
    other, _ = run("create_client", "other")
    run("create_key", "other", "--expires-in-days=1")
    run("revoke_key", other.split("_")[1])
    out, _ = run("list_clients")

    billing, its_key, other_line, *its_keys = out.splitlines()
    assert billing == "billing  scopes: read  tasks: shop.*  rate: 5/s"
    assert its_key.strip().startswith(key.split("_")[1])
    assert other_line.startswith("other  scopes: enqueue, read, cancel  tasks: *  rate: none")
    assert sorted("revoked" in line for line in its_keys) == [False, True]
    assert sorted("expires" in line for line in its_keys) == [False, True]
    for text in (key, other):
        assert text.split("_")[2].strip() not in out
    for digest in ClientKey.objects.values_list("digest", flat=True):
        assert digest not in out


def test_a_client_is_never_deleted() -> None:
    run("create_client", "billing")
    client = Client.objects.get()

    with pytest.raises(ProtectedError):
        client.delete()
    with pytest.raises(ProtectedError):
        Client.objects.filter(name="billing").delete()
    assert Client.objects.get() == client


def test_numbers_are_random_and_fit_into_an_id() -> None:
    numbers = {Client.objects.create(name=f"c{index}").number for index in range(20)}

    assert len(numbers) == 20
    assert all(0 < number < 2**32 for number in numbers)
    assert max(numbers) > 2**24


CACHES: dict[str, Any] = {
    "django.core.cache.backends.locmem.LocMemCache": "tasks_api.W005",
    "django.core.cache.backends.db.DatabaseCache": "tasks_api.W005",
    "django.core.cache.backends.filebased.FileBasedCache": "tasks_api.W005",
    "django.core.cache.backends.dummy.DummyCache": "tasks_api.W005",
    "django.core.cache.backends.redis.RedisCache": None,
}


@pytest.mark.parametrize(("backend", "identifier"), CACHES.items())
def test_a_cache_that_cannot_count_exactly_is_reported_once_there_is_a_rate(
    backend: str, identifier: str | None, tmp_path: Path
) -> None:
    is_redis = backend.endswith("RedisCache")
    location = "redis://127.0.0.1:1" if is_redis else str(tmp_path)
    cache = {"BACKEND": backend, "LOCATION": location}
    rates = {**settings.TASKS_API, "RATE_CACHE": "default"}
    with override_settings(CACHES={"default": cache}, TASKS_API=rates):
        run("create_client", "unlimited")
        _, silent = run("check", "--database=default")
        assert "tasks_api.W00" not in silent

        _, told = run("create_client", "limited", "--rate=1/s")
        _, checked = run("check", "--database=default")

    for output in (told, checked):
        assert (identifier or "tasks_api.W00") in output if identifier else not output


def test_a_cache_that_is_not_there_is_an_error() -> None:
    rates = {**settings.TASKS_API, "RATE_CACHE": "nowhere"}
    with override_settings(TASKS_API=rates):
        assert "tasks_api.E010" in run("create_client", "limited", "--rate=1/s")[1]
