"""The key that `run` prints: one for each database, for as long as it is valid."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.utils import timezone

CLIENT_NAME = "demo"
HOURS = 24
FILE_PREFIX = ".demo_key."


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A key's text, and when it expires."""

    text: str
    expires_at: datetime


class KeyFile:
    """
    The file with the text of the key, readable only by its owner; without one, its content is lost.

    While it is open, other processes that open it wait.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def read(self) -> str:
        if self._descriptor is None:
            return ""
        return os.pread(self._descriptor, 1000, 0).decode(errors="replace").strip()

    def write(self, text: str) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{text}\n".encode(), 0)


def demo_key_path(directory: Path, database: dict[str, Any]) -> Path:
    """Return the path of the file for a database."""
    name = (
        Path(database["NAME"]).name if database["ENGINE"].endswith("sqlite3") else database["NAME"]
    )
    return directory / f"{FILE_PREFIX}{quote(name, safe='')}"


@contextmanager
def open_key_file(path: Path) -> Iterator[KeyFile]:
    """Open the file, alone; where it cannot be written, each start has a key of its own."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield KeyFile(None)
        return
    try:
        with suppress(OSError):  # Not every network file system has locks.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.fchmod(descriptor, 0o600)
        yield KeyFile(descriptor)
    finally:
        os.close(descriptor)


def demo_key(file: KeyFile) -> DemoKey:
    """Return the key in the file if it is still valid; otherwise issue one, and write it there."""
    from tasks_api.clients import key_format, keys  # noqa: PLC0415 -- needs the settings
    from tasks_api.models import Client, ClientKey  # noqa: PLC0415

    text = file.read()
    if (presented := key_format.parse(text)) is not None:
        row = ClientKey.objects.filter(pk=presented.key_id, digest=presented.digest).first()
        if row is not None and row.is_usable and row.expires_at is not None:
            return DemoKey(text, row.expires_at)
    client, _ = Client.objects.get_or_create(name=CLIENT_NAME)
    expires_at = timezone.now() + timedelta(hours=HOURS)
    text = keys.issue(client, expires_at=expires_at).text
    file.write(text)
    return DemoKey(text, expires_at)
