"""A SELECT by primary key that is compiled once: building the query costs more than running it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.db import connections
from django.db.models import Model


class SelectByKey:
    """Reads some columns of the row with a primary key, converted as by their model fields."""

    def __init__(self, model: type[Model], columns: Sequence[str]) -> None:
        self._model = model
        self._columns = tuple(columns)

    def __call__(self, key: Any) -> dict[str, Any] | None:
        """Return the columns by name, or None if there is no such row."""
        manager = self._model._default_manager
        connection = connections[manager.db]
        sql, converters = self._compiled
        parameter = self._model._meta.pk.get_db_prep_value(key, connection)
        with connection.cursor() as cursor:
            cursor.execute(sql, [parameter])
            row = cursor.fetchone()
        if row is None:
            return None
        values = list(row)
        for position, (functions, expression) in converters.items():
            for convert in functions:
                values[position] = convert(values[position], expression, connection)
        return dict(zip(self._columns, values, strict=True))

    @cached_property
    def _compiled(self) -> tuple[str, dict[int, Any]]:
        manager = self._model._default_manager
        query = manager.filter(pk=self._model._meta.pk.to_python("0" * 32)).order_by()
        compiler: Any = query.values_list(*self._columns).query.get_compiler(using=manager.db)
        sql, _ = compiler.as_sql()
        return sql, compiler.get_converters([column for column, *_ in compiler.select])
