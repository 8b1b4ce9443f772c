"""Statements that are compiled once: building one of Django's queries costs more than running it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched
from typing import Any

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, JSONField, Model

from tasks_api.json_text import json_text

MAX_ROWS = 1000
"""How many rows one statement inserts at most."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Columns of the row with the same primary key in another table, None if there is no such row."""

    model: type[Model]
    columns: Mapping[str, str] = field(default_factory=dict)
    """By the names that they get in what is read."""

    def is_with(self, model: type[Model]) -> bool:
        """Tell whether the table is in the database of another one; if not, there are no such rows."""
        return router.db_for_write(self.model) == router.db_for_write(model)


class _Select:
    """Selects some columns of rows by primary key, converted as by their model fields."""

    def __init__(
        self, model: type[Model], columns: Sequence[str], beside: Beside | None = None
    ) -> None:
        self._model = model
        self._own = tuple(columns)
        self._beside = beside
        self.columns = (*self._own, *(beside.columns if beside else ()))

    def _connection(self, using: str | None = None) -> BaseDatabaseWrapper:
        return connections[using or self._model._default_manager.db]

    @cached_property
    def _compiled(self) -> tuple[str, dict[int, Any]]:
        """The statement up to the condition of the key, and the converters of columns by position."""
        quote = self._connection().ops.quote_name
        compiler = self._compiler(self._model, self._own)
        chosen = list(compiler.select)
        table, key = _table_and_key(self._model, quote)
        tables = table
        if self._beside is not None and self._beside.is_with(self._model):
            model = self._beside.model
            chosen += self._compiler(model, self._beside.columns.values()).select
            other, other_key = _table_and_key(model, quote)
            tables += f" LEFT OUTER JOIN {other} ON {other_key} = {key}"
        nulls = ["NULL"] * (len(self.columns) - len(chosen))
        columns = ", ".join([*(sql for _, (sql, _), _ in chosen), *nulls])
        # Only names of the models.
        head = f"SELECT {columns} FROM {tables} WHERE {key} "  # noqa: S608
        return head, compiler.get_converters([column for column, *_ in chosen])

    def _compiler(self, model: type[Model], columns: Collection[str]) -> Any:
        query = model._default_manager.order_by().values_list(*columns).query
        compiler: Any = query.get_compiler(using=self._model._default_manager.db)
        compiler.as_sql()
        return compiler


class SelectByKey(_Select):
    """Reads the columns of the row with a primary key."""

    @cached_property
    def _statement(self) -> str:
        return f"{self._compiled[0]}= %s"

    def __call__(self, key: Any, using: str | None = None) -> dict[str, Any] | None:
        """
        Return the columns by name, or None if there is no such row.

        `using` is another database of the same kind than the one to read from.
        """
        connection = self._connection(using)
        converters = self._compiled[1]
        parameter = _prepared(self._model._meta.pk, key, connection)
        with connection.cursor() as cursor:
            cursor.execute(self._statement, [parameter])
            row = cursor.fetchone()
        if row is None:
            return None
        return dict(zip(self.columns, _converted(row, converters, connection), strict=True))


class SelectByKeys(_Select):
    """Reads the columns of the rows with these primary keys, in no order."""

    def __call__(self, keys: Sequence[Any]) -> Iterator[list[Any]]:
        """Yield the columns of each row that exists; one statement for a thousand keys."""
        connection = self._connection()
        head, converters = self._compiled
        most = connection.features.max_query_params or MAX_ROWS
        for portion in batched(keys, min(most, MAX_ROWS)):
            parameters = [_prepared(self._model._meta.pk, key, connection) for key in portion]
            places = ", ".join(["%s"] * len(parameters))
            with connection.cursor() as cursor:
                cursor.execute(f"{head}IN ({places})", parameters)
                for row in cursor.fetchall():
                    yield _converted(row, converters, connection)


class InsertRows:
    """Inserts rows whose other columns have the defaults of their model fields; sends no signals."""

    def __init__(self, model: type[Model], columns: Collection[str]) -> None:
        self._model = model
        self._fields = [f for f in model._meta.local_concrete_fields if f.attname in columns]

    @staticmethod
    def supports(using: str) -> bool:
        """Tell whether rows can be inserted into this database."""
        return connections[using].vendor in {"postgresql", "sqlite"}

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows in this order, by the names of their columns; several need a transaction."""
        using = router.db_for_write(self._model)
        connection = connections[using]
        head, values = self._compiled
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            for portion in batched(rows, self._most_at_once(connection)):
                parameters = [
                    _prepared(field, row[field.attname], connection)
                    for row in portion
                    for field in self._fields
                ]
                cursor.execute(head + ", ".join([values] * len(portion)), parameters)

    def _most_at_once(self, connection: BaseDatabaseWrapper) -> int:
        most = connection.features.max_query_params
        return MAX_ROWS if most is None else min(most // len(self._fields), MAX_ROWS)

    @cached_property
    def _compiled(self) -> tuple[str, str]:
        """`INSERT INTO … VALUES `, and the values of one row, with literals for the defaults."""
        connection = connections[router.db_for_write(self._model)]
        quote = connection.ops.quote_name
        fields = self._model._meta.local_concrete_fields
        columns = ", ".join(quote(field.column or "") for field in fields)
        values = ", ".join("%s" if field in self._fields else _default(field) for field in fields)
        # Only names and defaults of the model, no value of a row.
        head = f"INSERT INTO {quote(self._model._meta.db_table)} ({columns}) VALUES "  # noqa: S608
        return head, f"({values})"


def _table_and_key(model: type[Model], quote: Callable[[str], str]) -> tuple[str, str]:
    table = quote(model._meta.db_table)
    return table, f"{table}.{quote(model._meta.pk.column or '')}"


def _converted(
    row: Sequence[Any], converters: Mapping[int, Any], connection: BaseDatabaseWrapper
) -> list[Any]:
    values = list(row)
    for position, (functions, expression) in converters.items():
        for convert in functions:
            values[position] = convert(values[position], expression, connection)
    return values


def _default(field: "Field[Any, Any]") -> str:
    default = field.get_default()
    if default is None:
        return "NULL"
    text = json_text(default) if isinstance(field, JSONField) else str(default)
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _prepared(field: "Field[Any, Any]", value: Any, connection: BaseDatabaseWrapper) -> Any:
    if connection.vendor == "postgresql":
        # psycopg quotes texts in C and other types in Python; PostgreSQL reads both as literals.
        return json_text(value) if isinstance(field, JSONField) else str(value)
    return field.get_db_prep_save(value, connection)
