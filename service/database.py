"""The database of `DATABASE_URL`, and the secret key that `run` stores beside it."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from service.environment import Environment, is_hard_to_guess
from service.private_files import PrivateConnection

BASE_DIR = Path(__file__).resolve().parent.parent
SCHEMES = ("sqlite", "postgres", "postgresql")

NOTICE_LOST_SERVER = {
    # In seconds: without it, an attempt to connect to an address that does not answer takes minutes.
    "connect_timeout": 5,
    # An idle connection whose other end is silently gone, after a failover say, is found in 25 s, and
    # one that waits for its answer as well: without these, it takes two hours.
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # In milliseconds: what was sent and is not acknowledged, which takes a quarter of an hour otherwise.
    "tcp_user_timeout": 20_000,
}
"""Parameters of the client, libpq, which a pooler such as PgBouncer never sees."""


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
        raise ImproperlyConfigured("DATABASE_URL is not a valid database URL.") from error
    if scheme == "sqlite":
        return _sqlite(database)
    return _postgresql(database, pool_size=environment.database_pool_size)


def _sqlite(database: dict[str, Any]) -> dict[str, Any]:
    if database["NAME"] in {"", ":memory:"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must name a file, such as sqlite:///db.sqlite3: "
            "the web processes and the worker share it."
        )
    # Relative to the working directory, as users expect of sqlite:///db.sqlite3.
    database["NAME"] = str(Path(database["NAME"]).absolute())
    database["CONN_MAX_AGE"] = None
    database["OPTIONS"] = {
        # Readers never wait for writers, writers wait instead of failing, and a transaction takes its
        # lock when it begins: upgrading a read lock later could fail immediately.
        "init_command": "PRAGMA journal_mode=WAL",
        "timeout": 10,
        "transaction_mode": "IMMEDIATE",
        "factory": PrivateConnection,
    }
    return database


def _postgresql(database: dict[str, Any], *, pool_size: int) -> dict[str, Any]:
    database["OPTIONS"] = {**NOTICE_LOST_SERVER, **database.get("OPTIONS", {})}
    if pool_size:
        share_connections(database, pool_size)
    else:
        database["CONN_MAX_AGE"] = None
    return database


def share_connections(database: dict[str, Any], pool_size: int = 8) -> None:
    """Have the threads of a process share connections to PostgreSQL, if they do not yet."""
    if database["ENGINE"].endswith("sqlite3") or "pool" in database["OPTIONS"]:
        return
    # Not without PostgreSQL, for SQLite needs no psycopg.
    from tasks_api.backends.database.bounded_connection import (  # noqa: PLC0415
        BoundedConnection,
        refuse_closed,
    )

    database["CONN_MAX_AGE"] = 0
    database["OPTIONS"]["pool"] = {
        "connection_class": BoundedConnection,
        # A restart of the server closes the idle connections: no request gets one of those.
        "check": refuse_closed,
        "min_size": 1,
        "max_size": pool_size,
        # How long a request waits for a connection before it is answered 503, in seconds.
        "timeout": 3,
        # Give up on a lost server soon, so that the next request tries again instead of waiting for
        # an attempt that backed off for minutes.
        "reconnect_timeout": 3,
    }


def secret_key_file(database: dict[str, Any]) -> Path:
    """Return where `run` stores the secret key: beside the SQLite database, or in the checkout."""
    is_sqlite = database["ENGINE"].endswith("sqlite3")
    return (Path(database["NAME"]).parent if is_sqlite else BASE_DIR) / ".secret_key"


def secret_key(environment: Environment, database: dict[str, Any]) -> str:
    """
    Return `SECRET_KEY`, or the key in the file.

    Raises:
        ImproperlyConfigured: there is neither, or the one in the file is easy to guess.

    """
    if environment.secret_key:
        return environment.secret_key
    path = secret_key_file(database)
    try:
        key = path.read_text().strip()
    except OSError:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set; `python -m service run` generates one for local use."
        ) from None
    if not is_hard_to_guess(key):
        raise ImproperlyConfigured(
            f"{path} contains no key of at least 32 random characters: delete it, and "
            "`python -m service run` generates one."
        )
    return key


def make_secret_key_file(database: dict[str, Any]) -> None:
    """
    Write a new key to the file, readable only by its owner, unless there is one already.

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
        # A link is atomic, and never replaces a key that another process has written meanwhile.
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        Path(draft).unlink()
    except OSError as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and {path} cannot be written: {error.strerror}."
        ) from error
