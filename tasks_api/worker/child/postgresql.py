"""The changes of state on PostgreSQL, each in one statement: one round trip, one commit."""

from collections.abc import Iterator
from typing import Any, cast

from django.db import connections
from django_tasks_db.models import DBTaskResultQuerySet
from psycopg import Cursor

from tasks_api.worker.child.transitions import Commit, Transitions
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict

# The parts run in the order in which they read one another: `me` reads `pick`, `claimed` reads `me`.
# A worker without its row was declared lost, and therefore claims nothing.

FINISHED = """finished AS (
    UPDATE {tasks} SET status = %s, finished_at = statement_timestamp(), return_value = %s::jsonb,
        exception_class_path = %s, traceback = %s
    WHERE id = %s AND status = 'RUNNING' AND worker_ids = %s::jsonb
    RETURNING finished_at
)"""
PICK = "pick AS ({look} FOR UPDATE SKIP LOCKED)"
ME = """me AS (
    UPDATE {workers} SET current_task = {current} WHERE worker_id = %s RETURNING current_task
)"""
CLAIMED = """claimed AS (
    UPDATE {tasks} SET status = 'RUNNING', started_at = statement_timestamp(),
        worker_ids = worker_ids || to_jsonb(%s::text)
    WHERE id = (SELECT current_task FROM me)
    RETURNING {columns}
)"""


class PostgreSQLTransitions(Transitions):
    """The changes of state that one worker makes on PostgreSQL."""

    def __init__(self, alias: str, worker_id: str, ready: DBTaskResultQuerySet) -> None:
        super().__init__(alias, worker_id, ready)
        self._statements = {
            (finishes, claims): self._statement(finishes=finishes, claims=claims)
            for finishes in (True, False)
            for claims in (True, False)
        }

    def commit(
        self, finished: TaskRow | None, verdict: Verdict | None, *, claim_next: bool
    ) -> Commit:
        params: list[Any] = []
        if finished is not None and verdict is not None:
            params += self._verdict_params(finished, verdict)
        if claim_next:
            params += [*self._look_params, self.worker_id, self.worker_id]
        else:
            params.append(self.worker_id)
        statement = self._statements[finished is not None, claim_next]
        finished_at, is_registered, *row = self._execute(statement, params)
        has_claimed = bool(row) and row[0] is not None
        return Commit(
            finished_at=finished_at,
            is_registered=is_registered,
            load_claimed=(lambda: self._read(row)) if has_claimed else None,
        )

    def _execute(self, statement: str, params: list[Any]) -> tuple[Any, ...]:
        """
        Let the server bind the parameters, which costs less than Django's cursor does here.

        Nothing is prepared by name: that would fail behind a pooler, and a plan that is kept would
        outlive the sizes of the tables that it was made for.
        """
        connection = connections[self.alias]
        connection.ensure_connection()
        with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
            cursor.execute(statement, params, prepare=False)
            return cast("tuple[Any, ...]", cursor.fetchone())

    def _statement(self, *, finishes: bool, claims: bool) -> str:
        parts = ",\n".join(self._parts(finishes=finishes, claims=claims)).format(
            tasks=self._tasks,
            workers=self._workers,
            columns=self._columns,
            look=self._look,
            current="(SELECT id FROM pick)" if claims else "NULL",
        )
        finished_at = "(SELECT finished_at FROM finished)" if finishes else "NULL"
        row = f", {self._columns} FROM (SELECT) AS one LEFT JOIN claimed ON true" if claims else ""
        return f"WITH {parts}\nSELECT {finished_at}, EXISTS (SELECT FROM me){row}"

    @staticmethod
    def _parts(*, finishes: bool, claims: bool) -> Iterator[str]:
        if finishes:
            yield FINISHED
        if claims:
            yield PICK
        yield ME
        if claims:
            yield CLAIMED
