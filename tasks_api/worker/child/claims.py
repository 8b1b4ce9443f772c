"""
A worker's claims and verdicts, whatever becomes of its connection meanwhile.

When the answer to a commit is lost, the commit may have taken place or not. The worker's own row
tells: it names the task that is this worker's now.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResultQuerySet

from tasks_api.backends.base import Limits
from tasks_api.backends.database.failures import DATABASE_ERRORS, is_unavailable, sqlstate
from tasks_api.models import Worker
from tasks_api.worker.child.transitions import Commit, PutBack, Transitions
from tasks_api.worker.connection import OwnConnection
from tasks_api.worker.task_row import TaskRow
from tasks_api.worker.verdicts import Verdict

logger = logging.getLogger("tasks_api.worker")

TRANSITIONS = {
    "postgresql": "tasks_api.worker.child.postgresql.PostgreSQLTransitions",
    "sqlite": "tasks_api.worker.child.sqlite.SQLiteTransitions",
}
"""By the database's vendor; loaded when needed, since the first one needs psycopg 3."""

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 1.0


class Superseded(Exception):
    """The task was ended by another process, and this worker's verdict comes too late."""


class WorkerCannotGoOn(Exception):
    """The process ends; its parent ends the task that it leaves, and replaces it."""


class DeclaredLost(WorkerCannotGoOn):
    """The worker was declared lost and may not claim any more."""


class ResultAbandoned(WorkerCannotGoOn):
    """The parent reaches the database, and this process does not."""


class VerdictRefused(WorkerCannotGoOn):
    """The database refuses even the plainest verdict."""


class Unreadable(Exception):
    """The claimed task's row cannot be read; `task` is what can be read of it."""

    def __init__(self, task: TaskRow, reason: Exception) -> None:
        super().__init__()
        self.task = task
        self.reason = reason


class Claims:
    """What one worker holds: at most one task, and the way to the next."""

    def __init__(
        self,
        connection: OwnConnection,
        worker_id: str,
        ready: DBTaskResultQuerySet,
        abandon_after_seconds: float,
    ) -> None:
        self._connection = connection
        self._abandon_after_seconds = abandon_after_seconds
        kind = import_string(TRANSITIONS[connection.vendor])
        with connection.in_use():
            self._transitions: Transitions = kind(connection.alias, worker_id, ready)
        self._load_next: Callable[[], TaskRow] | None = None
        self._is_unsure = False
        self._is_away = False
        # When the parent last reached the database, and since when it has without a gap: it finds a
        # database that is back before this process does.
        self._heartbeat_at = self._reached_since = time.monotonic()

    def note_heartbeat(self) -> None:
        """Note that the parent has reached the database."""
        now = time.monotonic()
        if now - self._heartbeat_at > self._abandon_after_seconds / 2:
            self._reached_since = now
        self._heartbeat_at = now

    @property
    def may_hold_one(self) -> bool:
        """Whether a task may be claimed that was not yet handed out."""
        return self._is_unsure or self._load_next is not None

    def next(self, *, may_claim: bool) -> TaskRow | None:
        """
        Hand out the task that is claimed already, else claim one if there is one.

        Raises:
            Unreadable: a task is claimed, and cannot be loaded.
            DeclaredLost: this worker may claim no more.

        """
        try:
            if self._load_next is not None and not self._is_unsure:
                return self._hand_out()
            with self._connection.in_use():
                return self._next(may_claim=may_claim)
        except DATABASE_ERRORS as error:
            self._lose_connection(error)
            raise

    def _next(self, *, may_claim: bool) -> TaskRow | None:
        if self._is_unsure and (resumed := self._resume()):
            return resumed
        if may_claim and self._load_next is None and self._transitions.is_any_ready():
            self._note(self._transitions.commit(None, None, claim_next=True))
        self._database_is_back()
        return self._hand_out()

    def finish(self, task: TaskRow, verdict: Verdict, *, claim_next: bool) -> datetime:
        """
        Store a verdict and claim the next task; wait for the database, however long it is away.

        Raises:
            Superseded: the task is no longer this worker's.
            DeclaredLost: nor may this worker claim another one.
            ResultAbandoned: the parent reaches the database, and this process does not.
            DatabaseError: the database is there and refuses this verdict.

        """
        return self._patiently(task, lambda: self._finish(task, verdict, claim_next=claim_next))

    def put_back(self, task: TaskRow, limits: Limits, verdict: Verdict, pause: float) -> bool:
        """
        Have a task tried again in so many seconds; False if that has been overtaken, and it is to be finished.

        Raises what `finish` raises.
        """
        return self._patiently(task, lambda: self._put_back(task, limits, verdict, pause))

    def _patiently[Answer](self, task: TaskRow, store: Callable[[], Answer]) -> Answer:
        last_answer_at = time.monotonic()
        retry_after = FIRST_RETRY_SECONDS
        refusals = 0
        while True:
            try:
                with self._connection.in_use():
                    return store()
            except DATABASE_ERRORS as error:
                self._lose_connection(error)
                # A refusal counts when a new connection repeats it.
                refusals += not is_unavailable(error)
                if refusals > 1:
                    raise
                if sqlstate(error):
                    last_answer_at = time.monotonic()
                without_us = self._heartbeat_at - max(last_answer_at, self._reached_since)
                if without_us > self._abandon_after_seconds:
                    raise ResultAbandoned(
                        f"Its parent reaches the database, which this process has not for "
                        f"{self._abandon_after_seconds:g} seconds; the result of task {task.pk} is "
                        "dropped."
                    ) from error
            time.sleep(retry_after)
            retry_after = min(2 * retry_after, LONGEST_RETRY_SECONDS)

    def _finish(self, task: TaskRow, verdict: Verdict, *, claim_next: bool) -> datetime:
        if self._is_unsure and self._current_task() != task.pk:
            # The lost answer was a success; the main loop resumes with what it claimed.
            finished_at = self._transitions.finished_at(task)
        else:
            commit = self._transitions.commit(task, verdict, claim_next=claim_next)
            self._note(commit)
            self._database_is_back()
            finished_at = commit.finished_at
        if finished_at is None:
            raise Superseded
        return finished_at

    def _put_back(self, task: TaskRow, limits: Limits, verdict: Verdict, pause: float) -> bool:
        if self._is_unsure and self._current_task() != task.pk:
            # The lost answer was a success.
            return True
        result = self._transitions.put_back(task, limits, verdict, pause)
        self._is_unsure = False
        self._database_is_back()
        if result is PutBack.SUPERSEDED:
            raise Superseded
        return result is PutBack.DONE

    def _hand_out(self) -> TaskRow | None:
        load, self._load_next = self._load_next, None
        if load is None:
            return None
        try:
            return load()
        except DATABASE_ERRORS:
            raise
        except Exception:
            with self._connection.in_use():
                return self._resume()

    def _resume(self) -> TaskRow | None:
        """Go on with the task that the worker's row names."""
        task_id = self._current_task()
        if task_id is None:
            self._is_unsure = False
            return None
        try:
            task = self._transitions.load(task_id)
        except DATABASE_ERRORS:
            raise
        except Exception as error:
            raise Unreadable(self._transitions.load_unread(task_id), error) from error
        finally:
            self._is_unsure = False
        return task

    def _current_task(self) -> UUID | None:
        try:
            return self._transitions.current_task()
        except Worker.DoesNotExist:
            raise DeclaredLost("It was declared lost.") from None

    def _note(self, commit: Commit) -> None:
        self._is_unsure = False
        self._load_next = commit.load_claimed
        if not commit.is_registered:
            raise DeclaredLost("It was declared lost.")

    def _lose_connection(self, error: Exception) -> None:
        self._connection.renew()
        self._is_unsure = True
        if not self._is_away:
            logger.warning("A database statement failed and is retried: %s", error)
        self._is_away = True

    def _database_is_back(self) -> None:
        if self._is_away:
            logger.warning("The database works again")
        self._is_away = False
