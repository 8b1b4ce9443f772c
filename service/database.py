"""The database that `DATABASE_URL` names, and the secret key that a trial run keeps beside it."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from service.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
SCHEMES = ("sqlite", "postgres", "postgresql")


def database_settings(environment: Environment) -> dict[str, Any]:
    """
    Return Django's settings for the database.

    Raises:
        ImproperlyConfigured: the URL cannot be read, or names another kind of database.

    """
    url = environment.database_url
    if url is None:
        url = f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise ImproperlyConfigured(
            "DATABASE_URL must begin with sqlite:/// or postgres://, "
            "such as postgres://user@host/name."
        )
    try:
        database: dict[str, Any] = environ.Env.db_url_config(url)
    except (ValueError, environ.ImproperlyConfigured) as error:
        raise ImproperlyConfigured(
            "DATABASE_URL is not a database URL that can be read."
        ) from error
    if scheme == "sqlite":
        return _sqlite(database)
    return _postgresql(database, pool_size=environment.database_pool_size)


def _sqlite(database: dict[str, Any]) -> dict[str, Any]:
    if database["NAME"] in {"", ":memory:"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must name a file, such as sqlite:///db.sqlite3: "
            "the web processes and the worker share it."
        )
    # Relative to the working directory, as everybody reads sqlite:///db.sqlite3.
    database["NAME"] = str(Path(database["NAME"]).absolute())
    database["CONN_MAX_AGE"] = None
    database["OPTIONS"] = {
        # A reader never waits for a writer, a writer waits instead of failing, and a transaction
        # takes its lock when it begins: upgrading a read lock later could fail at once.
        "init_command": "PRAGMA journal_mode=WAL",
        "timeout": 10,
        "transaction_mode": "IMMEDIATE",
    }
    return database


def _postgresql(database: dict[str, Any], *, pool_size: int) -> dict[str, Any]:
    # An address that nobody answers at would hold a connection attempt for minutes, in seconds.
    options = database["OPTIONS"] = {"connect_timeout": 5, **database.get("OPTIONS", {})}
    if pool_size:
        options["pool"] = {
            "min_size": 1,
            "max_size": pool_size,
            # How long a request waits for a connection before it is answered 503, in seconds.
            "timeout": 3,
            # Give up on a lost server soon, so that the next request tries anew instead of waiting
            # for an attempt that backed off for minutes.
            "reconnect_timeout": 3,
        }
    else:
        database["CONN_MAX_AGE"] = None
    return database


def secret_key_file(database: dict[str, Any]) -> Path:
    """Return where `python -m service run` keeps the secret key: beside the SQLite database."""
    is_sqlite = database["ENGINE"].endswith("sqlite3")
    return (Path(database["NAME"]).parent if is_sqlite else BASE_DIR) / ".secret_key"


def secret_key(environment: Environment, database: dict[str, Any]) -> str:
    """
    Return `SECRET_KEY`, else what the file holds.

    Raises:
        ImproperlyConfigured: there is neither.

    """
    if environment.secret_key:
        return environment.secret_key
    try:
        return secret_key_file(database).read_text().strip()
    except OSError:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set; `python -m service run` makes one for a trial."
        ) from None


def make_secret_key_file(database: dict[str, Any]) -> None:
    """
    Write a new key to the file, readable by its owner alone, unless there is one already.

    Raises:
        ImproperlyConfigured: the file cannot be written.

    """
    path = secret_key_file(database)
    if path.exists():
        return
    try:
        descriptor, draft = tempfile.mkstemp(prefix=".secret_key.", dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50) + "\n")
        # A link appears whole, and never replaces the key that another process made meanwhile.
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        Path(draft).unlink()
    except OSError as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and {path} cannot be written: {error.strerror}."
        ) from error
