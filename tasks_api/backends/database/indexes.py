"""
Our own indexes on django-tasks-db's table, created after every `migrate`.

They cannot be in our migrations: the table is another app's, and on SQLite a later migration of that app
may rebuild the table without them. If they exist already, this costs one or two queries.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Field, Func, Index, Model, Q

from tasks_api.backends.database.expiry import CAN_EXPIRE, EXPIRES_AT

TASKS = ("django_tasks_database", "DBTaskResult")


class _Joined(Func):
    """
    Columns joined to one text, as the first part of an index.

    Planners consider an index on plain columns for all queries: on SQLite, its statistics can turn a
    worker's claim into a scan; on PostgreSQL, sorting the rows of the table's own index of `queue_name`
    can seem cheaper than reading ours. An index on an expression is used only for queries with it.
    """

    template = "(%(expressions)s || '')"
    arg_joiner = " || ' ' || "
    output_field: "Field[Any, Any]" = CharField()


STATUS = _Joined("status")
QUEUE_AND_STATUS = _Joined("queue_name", "status")
"""Their texts are like `READY` and `default READY`; no status contains a space."""

INDEXES = (
    Index(STATUS, "id", name="tasks_api_status_id"),
    Index(QUEUE_AND_STATUS, "id", name="tasks_api_queue_status_id"),
    # For the removal of old tasks: it contains only finished ones.
    Index(
        fields=["finished_at"],
        name="tasks_api_finished_at",
        condition=Q(finished_at__isnull=False),
    ),
    # For the end of tasks that nobody has begun in time: it contains only those that wait.
    Index(EXPIRES_AT, name="tasks_api_expires_at", condition=CAN_EXPIRE),
)

# By database vendor: the usable indexes of a table.
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
    Build our indexes that a database lacks; a receiver of `post_migrate`.

    On PostgreSQL, tasks can be enqueued and run in the meantime. While another process builds an index
    of the table, nothing is built.
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
            # Checked first: otherwise an index that becomes valid meanwhile would look like a leftover.
            cursor.execute(_IS_BUILDING, [table])
            if cursor.fetchone() == (True,):
                return
        cursor.execute(_VALID[connection.vendor], [table])
        valid = {name for (name,) in cursor.fetchall()}
        missing = [index for index in INDEXES if index.name not in valid]
        if not missing or table not in connection.introspection.table_names(cursor):
            return
        description = connection.introspection.get_table_description(cursor, table)
    # The table may lack columns, because its migrations were run only up to one of them. The columns
    # of the expressions have existed from its first migration.
    columns = {column.name for column in description}
    for index in missing:
        if columns.issuperset(index.fields):
            yield index


def _build(connection: BaseDatabaseWrapper, model: type[Model], index: Index) -> None:
    options: dict[str, Any] = {}
    if connection.vendor == "postgresql":
        # Without a lock that blocks writers; this is not possible in a transaction.
        options["concurrently"] = connection.get_autocommit()
    with connection.schema_editor(atomic=False) as editor:
        if connection.vendor == "postgresql":
            # An interrupted attempt leaves an invalid index, which is updated but never used.
            editor.execute(index.remove_sql(model, editor, **options))
        editor.execute(index.create_sql(model, editor, **options), params=None)
