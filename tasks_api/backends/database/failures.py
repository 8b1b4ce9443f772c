"""
Whose fault a database error is: the database's, which may be mended, or the statement's own.

After the one, a request is answered 503 and may be sent again, and a worker keeps its result and
tries again. After the other, the same statement would fail for ever.
"""

import sqlite3

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError

DATABASE_ERRORS = (DatabaseError, InterfaceError)

# The classes and states of PostgreSQL's appendix A. Those that are missing are about a statement and
# its data, or about something that neither Django nor this app uses, such as cursors by name.

_UNAVAILABLE_CLASSES = (
    "08",  # the connection; PgBouncer reports all its problems as 08P01
    "28",  # the password or pg_hba.conf
    "3D",  # no such database
    "40",  # deadlocks, and transactions that cannot be serialized
    "53",  # disk full, out of memory, too many connections
    "55",  # locked, or in recovery
    "57",  # shut down, starting, cancelled, idle for too long
    "58",  # input and output
    "72",  # a snapshot that is too old
    "F0",  # the server's configuration
)
_UNAVAILABLE_STATES = {
    "25006",  # read-only: a standby, or a primary that has become one
    "25P03",  # idle in a transaction for too long: the connection is closed
    "25P04",  # a transaction that took too long: the connection is closed
    # The tables are not (yet) as this version expects, or the user may not use them.
    "3F000",
    "42501",
    "42P01",
    "42703",
    # Numbers of transactions are used up. The limits on data that it also stands for lie far above
    # those of requests and results.
    "54000",
    "XX001",  # damaged data
    "XX002",  # a damaged index
}
_REFUSED_STATES = {"40002"}
"""A constraint that is checked at the commit."""

_UNAVAILABLE_SQLITE_CODES = {
    sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_ABORT,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOTADB,
}
_UNMIGRATED_SQLITE = ("no such table", "no such column")
"""SQLite has one code for all that is wrong with a statement."""

# The connection is not the only one of which this is true.
_LOST_CLASSES = ("08", "57P")
_READ_ONLY = "25006"


def is_unavailable(error: BaseException) -> bool:
    """
    Tell whether a statement that failed so may succeed later, unchanged.

    Takes Django's exceptions and a driver's own. An error of a driver that is unknown here counts by
    its type alone.
    """
    if state := sqlstate(error):
        if state in _REFUSED_STATES:
            return False
        return state in _UNAVAILABLE_STATES or state.startswith(_UNAVAILABLE_CLASSES)
    for one in (error, error.__cause__):
        code = getattr(one, "sqlite_errorcode", None)
        if code is not None:
            # The upper bits of SQLite's codes only give details.
            is_unmigrated = code == sqlite3.SQLITE_ERROR and str(one).startswith(_UNMIGRATED_SQLITE)
            return is_unmigrated or code & 0xFF in _UNAVAILABLE_SQLITE_CODES
    # A driver that has lost the server often has no state to tell.
    return isinstance(error, OperationalError | InterfaceError | InternalError)


def makes_connections_useless(error: BaseException) -> bool:
    """
    Tell whether other connections that are open may fail with this error as well.

    They are lost with the server, or were opened while it was read-only, which a session stays.
    """
    state = sqlstate(error)
    if state:
        return state == _READ_ONLY or state.startswith(_LOST_CLASSES)
    # If a pool is only busy, its connections still work.
    is_busy = type(error.__cause__).__name__ == "PoolTimeout"
    return isinstance(error, OperationalError | InterfaceError) and not is_busy


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error, if it has one."""
    state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    return state if isinstance(state, str) else None
