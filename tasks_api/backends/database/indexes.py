"""
Indexes of our own on django-tasks-db's table, put there after every `migrate`.

No migration of ours can hold them: the table is another app's, and on SQLite a later migration of that
app may rebuild it, without what the app does not know. What is there already costs a query or two.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Field, Func, Index, Model, Q

TASKS = ("django_tasks_database", "DBTaskResult")


class _Joined(Func):
    """
    Columns joined to one text, for an index to lead with.

    What an index of plain columns begins with, the planner weighs for everybody's queries: on SQLite its
    statistics can lead a worker's claim to a scan, on PostgreSQL sorting what the table's own index of
    `queue_name` gives can look cheaper than reading ours. An expression is for whoever spells it.
    """

    template = "(%(expressions)s || '')"
    arg_joiner = " || ' ' || "
    output_field: "Field[Any, Any]" = CharField()


STATUS = _Joined("status")
QUEUE_AND_STATUS = _Joined("queue_name", "status")
"""Their texts are `READY` and `default READY`; no status has a space in it."""

INDEXES = (
    Index(STATUS, "id", name="tasks_api_status_id"),
    Index(QUEUE_AND_STATUS, "id", name="tasks_api_queue_status_id"),
    # For removing what finished long ago: it holds no task that is still to be run.
    Index(
        fields=["finished_at"],
        name="tasks_api_finished_at",
        condition=Q(finished_at__isnull=False),
    ),
)

# By the database's vendor: the indexes of a table that can be used.
_VALID = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = %s",
    "postgresql": """
        SELECT pg_class.relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = to_regclass(quote_ident(%s)) AND indisvalid
    """,
}
_IS_BUILDING = """
    SELECT EXISTS (
        SELECT FROM pg_stat_progress_create_index WHERE relid = to_regclass(quote_ident(%s))
    )
"""


def ensure_indexes(*, using: str, verbosity: int, stdout: Any = None, **_: object) -> None:
    """
    Build those of our indexes that a database lacks; a receiver of `post_migrate`.

    On PostgreSQL tasks are enqueued and run meanwhile. Where another process is building an index of
    the table, that one is left to it.
    """
    connection = connections[using]
    if not apps.is_installed("django_tasks_db") or connection.vendor not in _VALID:
        return
    model = apps.get_model(*TASKS)
    if not router.allow_migrate_model(using, model):
        return
    for index in _missing(connection, model):
        if stdout is not None and verbosity >= 1:
            stdout.write(f"  Building index {index.name} on {model._meta.db_table}...")
        _build(connection, model, index)


def _missing(connection: BaseDatabaseWrapper, model: type[Model]) -> Iterator[Index]:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # First: what is ready by the next query would else be taken for a leftover.
            cursor.execute(_IS_BUILDING, [table])
            if cursor.fetchone() == (True,):
                return
        cursor.execute(_VALID[connection.vendor], [table])
        valid = {name for (name,) in cursor.fetchall()}
        missing = [index for index in INDEXES if index.name not in valid]
        if not missing or table not in connection.introspection.table_names(cursor):
            return
        description = connection.introspection.get_table_description(cursor, table)
    # The table may be an older one: its migrations were run up to one of them, or back. The columns of
    # expressions are as old as the table.
    columns = {column.name for column in description}
    for index in missing:
        if columns.issuperset(index.fields):
            yield index


def _build(connection: BaseDatabaseWrapper, model: type[Model], index: Index) -> None:
    options: dict[str, Any] = {}
    if connection.vendor == "postgresql":
        # Without a lock that stops writers, which no transaction can do.
        options["concurrently"] = connection.get_autocommit()
    with connection.schema_editor(atomic=False) as editor:
        if connection.vendor == "postgresql":
            # An attempt that was interrupted leaves one behind that is kept up and never used.
            editor.execute(index.remove_sql(model, editor, **options))
        editor.execute(index.create_sql(model, editor, **options), params=None)
