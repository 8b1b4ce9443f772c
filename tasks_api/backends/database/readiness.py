"""Whether rows can be written, found out without writing any."""

import os
import tempfile
import time
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from tasks_api.backends.database.failures import sqlstate

REMEMBERED_SECONDS = 5.0
"""How long a disk with space on it is believed to have some."""

# More than the next few tasks need: a disk with less is full for them.
SPACE_BYTES = 256 * 1024
# Rows for a temporary file of that size: more than may be kept in memory.
FILL_MEMORY = "SET LOCAL work_mem = '64kB'"
FILL_DISK = "SELECT count(*) FROM generate_series(1, 20000)"
TEMP_FILE_LIMIT_EXCEEDED = "53400"

_had_space_at: dict[str, float] = {}


def check_writable(alias: str | None) -> None:
    """
    Check that the database takes writes and its disk has space.

    Raises:
        OperationalError: it does not, or has none.

    """
    alias = alias or DEFAULT_DB_ALIAS
    vendor = connections[alias].vendor
    if vendor == "postgresql":
        _check_not_read_only(alias)
    check_space = {"postgresql": _check_space_of_postgresql, "sqlite": _check_space_of_sqlite}
    now = time.monotonic()
    if (
        vendor in check_space
        and now - _had_space_at.get(alias, -REMEMBERED_SECONDS) >= REMEMBERED_SECONDS
    ):
        check_space[vendor](alias)
        _had_space_at[alias] = now


def _check_not_read_only(alias: str) -> None:
    connection = connections[alias]
    with connection.cursor() as cursor:
        # It is on in a standby as well.
        cursor.execute("SHOW transaction_read_only")
        if cursor.fetchone() == ("on",):
            # As Django notes what a database raises: the connection is renewed.
            connection.errors_occurred = True
            raise OperationalError("The database is read-only.")


def _check_space_of_postgresql(alias: str) -> None:
    """Have the server write a temporary file: no row, no log, and on the same disk by default."""
    try:
        with transaction.atomic(alias), connections[alias].cursor() as cursor:
            cursor.execute(FILL_MEMORY)
            cursor.execute(FILL_DISK)
    except OperationalError as error:
        # Where the server allows no temporary files, nothing can be known.
        if sqlstate(error) != TEMP_FILE_LIMIT_EXCEEDED:
            raise


def _check_space_of_sqlite(alias: str) -> None:
    """Write a temporary file beside the database, where SQLite itself makes files when it writes."""
    path = Path(connections[alias].settings_dict["NAME"])
    if not path.is_file():
        # In memory, or not yet there.
        return
    if not os.access(path, os.W_OK):
        raise OperationalError(f"{path} cannot be written to.")
    try:
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
            written = file.write(os.urandom(SPACE_BYTES))
    except OSError as error:
        raise OperationalError(f"There is no space beside {path}: {error.strerror}.") from error
    if written < SPACE_BYTES:
        raise OperationalError(f"There is no space beside {path}.")
