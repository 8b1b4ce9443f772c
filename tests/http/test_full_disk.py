"""A full disk is a 503 of `/readyz` too, until it has space again."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.conftest import MigratedDatabase, running
from tests.http.conftest import ENV
from tests.http.test_half_dead_database import assert_all_unavailable, is_healthy
from tests.live_service import LiveService, wait_until
from tests.postgresql import PostgreSQLServer


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of its own, of which a test can use up the space."""
    # Not below tmp_path, where only its owner can go.
    directory = Path(f"/tmp/{tmp_path.name}-{os.getpid()}")  # noqa: S108
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0777", "tmpfs", str(directory)]
    try:
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("a disk of its own needs the right to mount one")
        try:
            yield directory
        finally:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)
    finally:
        directory.rmdir()


def fill(disk: Path) -> Path:
    """Use up all the space, and return the file that does."""
    file = disk / "full"
    with suppress(OSError), file.open("wb", buffering=0) as opened:
        while opened.write(bytes(4096)):
            pass
    return file


def assert_fullness_shows(service: LiveService, disk: Path) -> None:
    assert is_healthy(service)
    file = fill(disk)

    def is_unready() -> bool:
        answer = service.get("/readyz")
        if answer.status_code == 200:
            return False
        assert_all_unavailable([answer])
        return True

    # It is believed to have space for some seconds.
    wait_until(is_unready, what="503 of /readyz")
    big: dict[str, Any] = {
        "task": "service.tasks.say_hello",
        "kwargs": {"name": os.urandom(100_000).hex()},
    }
    assert_all_unavailable([service.post("/tasks/", big)])

    file.unlink()
    wait_until(lambda: is_healthy(service), what="recovery")
    assert service.post("/tasks/", big).status_code == 202


@pytest.mark.sqlite
def test_a_full_disk_below_sqlite_is_not_ready(
    migrated_database: MigratedDatabase, small_disk: Path, tmp_path: Path
) -> None:
    url, key = migrated_database
    database = small_disk / "db.sqlite3"
    shutil.copy(urlsplit(url).path, database)
    service = LiveService(f"sqlite:///{database}", directory=tmp_path, env=ENV, key=key)
    with running(service, worker=False):
        assert_fullness_shows(service, small_disk)


@pytest.mark.postgres
def test_a_full_disk_below_postgresql_is_not_ready(
    server: PostgreSQLServer,
    template: MigratedDatabase,
    start: Callable[..., LiveService],
    small_disk: Path,
) -> None:
    space = small_disk / "space"
    space.mkdir()
    with psycopg.connect(server.url, autocommit=True) as connection:
        if server.user is not None:
            shutil.chown(space, server.user)
        connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        name = urlsplit(template.url).path[1:]
        connection.execute(f"CREATE DATABASE small TEMPLATE {name} TABLESPACE small")
        try:
            service = start(urlsplit(server.url)._replace(path="/small").geturl())
            assert_fullness_shows(service, small_disk)
            service.close()
        finally:
            connection.execute("DROP DATABASE small WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")
