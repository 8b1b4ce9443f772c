"""Our indexes on django-tasks-db's table: there after every `migrate`, and in nobody's way."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult, get_date_max

from tasks_api.backends.database.indexes import INDEXES, ensure_indexes
from tests.live_project import LiveProject
from tests.live_service import DEADLINE, PROJECT, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = DBTaskResult._meta.db_table
NAMES = {index.name for index in INDEXES}


@pytest.fixture(autouse=True)
def all_indexes(transactional_db: None) -> Iterator[None]:
    """Leave the table to other tests as it was."""
    yield
    call_command("migrate", verbosity=0)


def ours(alias: str = "default") -> set[str]:
    """Return the names of the indexes of ours that are there."""
    with connections[alias].cursor() as cursor:
        found = connections[alias].introspection.get_constraints(cursor, TABLE)
    return {name for name in found if name.startswith("tasks_api_")}


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def migrate(*arguments: str) -> str:
    output = StringIO()
    call_command("migrate", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def test_each_can_be_told_from_the_tables_own_by_its_name() -> None:
    assert ours() == NAMES
    assert len(NAMES) == 4


def test_migrate_builds_what_is_missing_and_says_so_once() -> None:
    for name in NAMES:
        execute(f"DROP INDEX {name}")
    assert ours() == set()

    first, second = migrate(), migrate()

    assert ours() == NAMES
    assert first.count("Building index tasks_api_") == len(NAMES)
    assert "ndex" not in second


@pytest.mark.sqlite
def test_a_table_that_was_rebuilt_gets_them_back() -> None:
    with connection.schema_editor() as editor:
        editor._remake_table(DBTaskResult)
    assert ours() == set()

    migrate()

    assert ours() == NAMES


def test_django_sees_no_change_of_any_model(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makemigrations", "--check", "--dry-run")

    assert "No changes detected" in capsys.readouterr().out


def test_a_table_of_an_older_version_gets_those_that_it_has_columns_for(
    new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    with closing(LiveProject(new_database_url(), directory=tmp_path)) as project:

        def built(*arguments: str) -> set[str]:
            output = project.manage("migrate", *arguments).stdout
            return {name for name in NAMES if f"Building index {name} " in output}

        # `finished_at` came with the next one.
        assert built("django_tasks_database", "0002") == NAMES - {"tasks_api_finished_at"}
        assert "tasks_api_finished_at" in built()
        assert built() == set()


def test_the_database_that_is_migrated_gets_them_unless_a_router_minds(
    new_database_url: Callable[[], str],
) -> None:
    program = """
        class Router:
            forbidden = None
            def allow_migrate(self, alias, label, **hints):
                return label != "django_tasks_database" or alias != self.forbidden
        env = environ.Env()
        settings.configure(
            DATABASES={alias: env.db(alias) for alias in ("default", "other")},
            DATABASE_ROUTERS=[Router()],
            INSTALLED_APPS=["django.contrib.contenttypes", "django_tasks_db", "tasks_api"],
        )
        django.setup()
        call_command("migrate")
        print("---")
        call_command("migrate", database="other")
        print("---")
        connections["other"].cursor().execute("DROP INDEX tasks_api_status_id")
        Router.forbidden = "other"
        call_command("migrate", database="other")
    """
    output = run(program, default=new_database_url(), other=new_database_url())

    built = [part.count("Building index") for part in output.split("---")]
    assert built == [len(NAMES), len(NAMES), 0]


def test_another_kind_of_database_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")
    with CaptureQueriesContext(connection) as queries:
        ensure_indexes(using="default", verbosity=1)

    assert len(queries) == 0


def test_a_project_without_django_tasks_db_migrates(database_url: str) -> None:
    program = """
        settings.configure(
            DATABASES={"default": environ.Env().db("DATABASE_URL")},
            INSTALLED_APPS=["django.contrib.contenttypes", "tasks_api"],
            TASKS={"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}},
        )
        django.setup()
        call_command("migrate")
    """
    output = run(program, DATABASE_URL=database_url)

    assert "tasks_api.0001_worker... OK" in output
    assert "Building index" not in output


def run(program: str, **environment: str) -> str:
    """Run a program that configures Django on its own."""
    imports = """
        import django, environ
        from django.conf import settings
        from django.core.management import call_command
        from django.db import connections
    """
    completed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(imports) + textwrap.dedent(program)],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


# PostgreSQL builds them while tasks are enqueued and run.


@pytest.mark.postgres
def test_an_invalid_leftover_is_built_again() -> None:
    store_two_tasks()
    execute("DROP INDEX tasks_api_status_id")
    with pytest.raises(IntegrityError):
        # As an attempt is that was interrupted.
        execute(f"CREATE UNIQUE INDEX CONCURRENTLY tasks_api_status_id ON {TABLE} (backend_name)")
    assert validity("tasks_api_status_id") is False

    assert migrate().count("Building index") == 1

    assert validity("tasks_api_status_id") is True
    assert ours() == NAMES


@pytest.mark.postgres
def test_writers_go_on_while_an_index_is_built_and_it_is_built_once() -> None:
    execute("DROP INDEX tasks_api_status_id")
    thread = threading.Thread(target=migrate_in_a_thread)
    with psycopg.connect(**connection.get_connection_params()) as earlier:
        # The index is not ready before the transactions that were there have ended.
        earlier.execute(f"LOCK TABLE {TABLE} IN ROW EXCLUSIVE MODE")
        thread.start()
        wait_until(is_building, what="index in the making")

        store_two_tasks()
        assert "Building" not in migrate()
        assert validity("tasks_api_status_id") is False
    thread.join(DEADLINE)

    assert validity("tasks_api_status_id") is True


@pytest.mark.postgres
def test_within_a_transaction_they_are_built_with_it() -> None:
    execute("DROP INDEX tasks_api_status_id")
    with transaction.atomic():
        ensure_indexes(using="default", verbosity=0)

    assert validity("tasks_api_status_id") is True


def store_two_tasks() -> None:
    rows = [
        DBTaskResult(
            args_kwargs={"args": [], "kwargs": {}},
            task_path="tests.tasks.echo",
            backend_name="default",
            run_after=get_date_max(),
        )
        for _ in range(2)
    ]
    DBTaskResult.objects.bulk_create(rows)


def migrate_in_a_thread() -> None:
    try:
        call_command("migrate", verbosity=0)
    finally:
        connection.close()


def is_building() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_progress_create_index)")
        (found,) = cursor.fetchone()
    return bool(found)


def validity(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [name])
        (is_valid,) = cursor.fetchone()
    return bool(is_valid)
