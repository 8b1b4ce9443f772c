"""Files that only their owner can read, such as the SQLite database."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

SUFFIXES = ("", "-wal", "-shm")
"""What SQLite appends to the name of the database for the files beside it."""


class PrivateConnection(sqlite3.Connection):
    """A connection that creates its database readable only by its owner."""

    def __init__(self, database: str, *args: Any, **kwargs: Any) -> None:
        if not database.startswith(("file:", ":memory:")):
            # If this fails, SQLite says why. It gives the other files the mode of this one.
            with suppress(OSError):
                os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        super().__init__(database, *args, **kwargs)


def files_open_to_all(database: str) -> list[Path]:
    """Return the files of a SQLite database that every user of the machine can read or write."""
    found = []
    for suffix in SUFFIXES:
        path = Path(database + suffix)
        with suppress(OSError):
            if path.stat().st_mode & 0o007:
                found.append(path)
    return found
