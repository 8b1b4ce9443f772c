"""
Tasks that have expired, as conditions on rows.

The time is compared as a text, the form of which sorts like the time, so that an index can hold it.
"""

from typing import Any

from django.db.models import F, Func, Q, TextField, Value
from django.db.models.lookups import Exact, GreaterThan, IsNull, LessThanOrEqual
from django.tasks import TaskResultStatus


class _ExpiresAt(Func):
    """The text of `expires_at` in a row."""

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "((%(expressions)s #>> '{call,expires_at}') COLLATE \"C\")"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "JSON_EXTRACT(%(expressions)s, '$.call.expires_at')"
        return self.as_sql(compiler, connection, template=template, **context)


class _NowAsText(Func):
    """The time of the database in the same form."""

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        form = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        template = f"TO_CHAR(STATEMENT_TIMESTAMP() AT TIME ZONE 'UTC', '{form}')"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "STRFTIME('%%%%Y-%%%%m-%%%%dT%%%%H:%%%%M:%%%%f000Z', 'NOW')"
        return self.as_sql(compiler, connection, template=template, **context)


class _Status(Func):
    """
    The status, for our index alone.

    Without statistics, SQLite would otherwise prefer django-tasks-db's index of the status, and read all tasks
    that wait.
    """

    template = "%(expressions)s"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


EXPIRES_AT = _ExpiresAt(F("args_kwargs"))

CAN_EXPIRE = Q(Exact(_Status(F("status")), Value(TaskResultStatus.READY.value))) & Q(
    IsNull(EXPIRES_AT, False)
)
"""
What our index of `EXPIRES_AT` contains: tasks that wait and say until when.

The status comes first: the arguments of tasks that are begun or ended are not read for it.
"""

HAS_EXPIRED = CAN_EXPIRE & Q(LessThanOrEqual(EXPIRES_AT, _NowAsText()))

HAS_NOT_EXPIRED = Q(IsNull(EXPIRES_AT, True)) | Q(GreaterThan(EXPIRES_AT, _NowAsText()))
