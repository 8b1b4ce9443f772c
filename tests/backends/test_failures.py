"""Which errors of a database a request or a worker may try again after."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django import db
from django.db.utils import DatabaseErrorWrapper
from psycopg import errors

from tasks_api.backends.database.failures import is_unavailable, makes_connections_useless

UNAVAILABLE = """
    08000 08001 08003 08004 08006 08007 08P01 25006 25P03 25P04 28000 28P01 3D000 3F000
    40000 40001 40003 40P01 42501 42703 42P01 53000 53100 53200 53300 53400 54000 55000 55006 55P03
    57000 57014 57P01 57P02 57P03 57P04 57P05 58000 58030 58P01 72000 F0000 XX001 XX002
"""
REFUSED = """
    0A000 21000 22001 22003 22021 22P02 22P05 23502 23503 23505 25000 25001 25P02 26000 27000 2F000
    38000 39000 3B001 40002 42601 42804 42883 44000 54001 54011 54023 HV000 P0001 XX000
"""


def wrapped(error: Exception) -> Exception:
    """Return the error as Django raises it."""

    class Wrapper:
        Database = psycopg if isinstance(error, psycopg.Error) else sqlite3
        errors_occurred = False

    with pytest.raises(db.Error) as caught, DatabaseErrorWrapper(Wrapper):
        raise error
    return caught.value


@pytest.mark.parametrize("state", UNAVAILABLE.split())
def test_what_ails_the_postgresql_server_may_pass(state: str) -> None:
    error = errors.lookup(state)()

    assert is_unavailable(error)
    assert is_unavailable(wrapped(error))


@pytest.mark.parametrize("state", REFUSED.split())
def test_what_ails_a_statement_does_not(state: str) -> None:
    error = errors.lookup(state)()

    assert not is_unavailable(error)
    assert not is_unavailable(wrapped(error))


def test_every_class_of_postgresql_is_judged() -> None:
    judged = {state[:2] for state in (UNAVAILABLE + REFUSED).split()}
    # Warnings and ends of results, cursors by name, and what only programs on the server raise.
    left = "02 03 09 0B 0F 0L 0P 0Z 10 20 24 2B 2D 34"
    states = (getattr(one, "sqlstate", None) for one in vars(errors).values())

    assert {one[:2] for one in states if isinstance(one, str)} == judged | set(left.split())


def test_a_driver_that_lost_its_server_has_no_state() -> None:
    for kind in (psycopg.OperationalError, psycopg.InterfaceError):
        assert is_unavailable(wrapped(kind("the connection is lost")))
    for kind in (psycopg.DataError, psycopg.ProgrammingError):
        assert not is_unavailable(wrapped(kind("PostgreSQL text fields cannot contain NUL")))


@pytest.mark.parametrize(
    ("state", "does"),
    [("08006", True), ("57P01", True), ("25006", True), ("57014", False), ("53100", False)],
)
def test_connections_are_renewed_after_what_holds_for_all_of_them(state: str, does: bool) -> None:
    assert makes_connections_useless(wrapped(errors.lookup(state)())) is does


def run(file: Path, statements: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(file, timeout=0)) as opened:
        for statement in statements:
            opened.execute(statement)


def sqlite_error(file: Path, *statements: str) -> Exception:
    """Return the error that one of the statements ends with."""
    with pytest.raises(sqlite3.Error) as caught:
        run(file, statements)
    return wrapped(caught.value)


def test_what_ails_an_sqlite_file_may_pass(tmp_path: Path) -> None:
    file = tmp_path / "db"
    no_database = tmp_path / "text"
    no_database.write_text("This is no database, whatever its name may say. " * 100)
    big = "INSERT INTO t VALUES (zeroblob(100000))"
    errors = [
        sqlite_error(file, "CREATE TABLE t (x)", "PRAGMA max_page_count = 3", big),
        sqlite_error(file, "PRAGMA query_only = 1", "INSERT INTO t VALUES (1)"),
        sqlite_error(file, "SELECT * FROM missing"),
        sqlite_error(file, "SELECT missing FROM t"),
        sqlite_error(tmp_path / "no" / "db"),
        sqlite_error(no_database, "SELECT * FROM t"),
    ]
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        errors.append(sqlite_error(file, "SELECT * FROM t"))

    for error in errors:
        assert is_unavailable(error), error


def test_what_ails_an_sqlite_statement_does_not(tmp_path: Path) -> None:
    insert = "INSERT INTO t VALUES (1)"

    assert not is_unavailable(sqlite_error(tmp_path / "a", "SELEC 1"))
    assert not is_unavailable(
        sqlite_error(tmp_path / "b", "CREATE TABLE t (x UNIQUE)", insert, insert)
    )
