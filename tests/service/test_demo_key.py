"""The key that `run` prints stays the same for as long as it is valid, and no longer."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from service.demo_key import DemoKey, demo_key, demo_key_path, open_key_file
from tasks_api.clients import keys
from tasks_api.models import Client, ClientKey

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def key_in(path: Path) -> DemoKey:
    with open_key_file(path) as file:
        return demo_key(file)


def revoke(path: Path) -> None:
    ClientKey.objects.all().revoke()


def expire(path: Path) -> None:
    ClientKey.objects.update(expires_at=timezone.now())


def forget(path: Path) -> None:
    ClientKey.objects.all().delete()


def lose_the_file(path: Path) -> None:
    path.unlink()


def damage_the_file(path: Path) -> None:
    path.write_bytes(b"tk_\xff\x00")


def test_it_stays_the_same(tmp_path: Path) -> None:
    first, second = (key_in(tmp_path / "key") for _ in range(2))

    assert first == second
    assert ClientKey.objects.count() == 1


@pytest.mark.parametrize("what", [revoke, expire, forget, lose_the_file, damage_the_file])
def test_there_is_a_new_one_where_the_old_one_is_of_no_use(
    tmp_path: Path, what: Callable[[Path], None]
) -> None:
    path = tmp_path / "key"
    first = key_in(path)
    what(path)

    second = key_in(path)

    assert second.text != first.text
    assert keys.caller_with(second.text) is not None
    assert key_in(path) == second
    assert path.stat().st_mode & 0o777 == 0o600
    # Whoever uses the old one meanwhile is not disturbed.
    is_still_good = what in {lose_the_file, damage_the_file}
    assert (keys.caller_with(first.text) is not None) == is_still_good


def test_where_no_file_can_be_written_each_start_has_its_own(tmp_path: Path) -> None:
    first, second = (key_in(tmp_path / "missing" / "key") for _ in range(2))

    assert first.text != second.text
    assert all(keys.caller_with(key.text) is not None for key in (first, second))


def test_the_demo_client_may_be_changed(tmp_path: Path) -> None:
    key_in(tmp_path / "key")
    Client.objects.update(scopes=["read"])

    key_in(tmp_path / "other")

    assert Client.objects.get().scopes == ["read"]


def test_each_database_has_its_file(tmp_path: Path) -> None:
    def name(engine: str, database: str) -> str:
        settings = {"ENGINE": f"django.db.backends.{engine}", "NAME": database}
        return demo_key_path(tmp_path, settings).name

    assert name("sqlite3", str(tmp_path / "db.sqlite3")) == ".demo_key.db.sqlite3"
    assert name("postgresql", "a/b") == ".demo_key.a%2Fb"
