"""The database connections of a worker's thread: its own, and those of the code that it calls."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from tasks_api.backends.database.connections import interrupt
from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.conf import tasks_api_settings

# psycopg's TransactionStatus: active, in a transaction, in a failed one; neither idle nor unknown,
# which is that of a connection that is closed.
_PSYCOPG_IN_TRANSACTION = {1, 2, 3}


def answer_seconds() -> float:
    """
    Return how long the worker's own statements wait for the database's answer.

    Shorter than the time after which others declare the worker lost; no less than a busy machine takes.
    """
    return min(max(tasks_api_settings().lost_after_seconds / 3, 2.0), 20.0)


class OwnConnection:
    """
    The connection of a thread's own statements, which the code that it calls never gets.

    Within `in_use()`, Django's `connections` give it for the alias, and the database is waited for no
    longer than `answer_seconds()`; at any other time they open another one, which is waited for as
    long as it takes. It belongs to the thread that uses it.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._answer_seconds = answer_seconds()
        self._wrapper = connections.create_connection(alias)

    @property
    def vendor(self) -> str:
        return str(self._wrapper.vendor)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        found = [one for one in connections.all(initialized_only=True) if one.alias == self.alias]
        connections[self.alias] = self._wrapper
        try:
            with database_answers_within(self._answer_seconds):
                yield
        finally:
            # With DEBUG, each statement and its parameters would be kept.
            self._wrapper.queries_log.clear()
            del connections[self.alias]
            for other in found:
                connections[self.alias] = other

    def renew(self) -> None:
        """Close the connection in whatever state it is; the next use opens a new one."""
        _close(self._wrapper)
        self._wrapper = connections.create_connection(self.alias)

    def close(self) -> None:
        _close(self._wrapper)


class LentConnections:
    """
    The connections given to the code that a thread calls, including those that it keeps in variables.

    It belongs to the thread that uses it.
    """

    def __init__(self) -> None:
        self._seen: WeakSet[BaseDatabaseWrapper] = WeakSet()

    def close(self) -> bool:
        """
        Close them in whatever state they are; tell whether one of them was in a transaction.

        The next code gets new ones.
        """
        for connection in connections.all(initialized_only=True):
            self._seen.add(connection)
            del connections[connection.alias]
        was_in_transaction = False
        for connection in self._seen:
            was_in_transaction = was_in_transaction or _is_in_transaction(connection)
            _close(connection)
        return was_in_transaction


class ConnectionsOfOtherThreads:
    """
    The connections that other threads than the one that creates it open from then on.

    Django keeps them for their thread alone and leaves it to that to close them. After its end they
    stay open until Python happens to collect them, of which the server's `max_connections` may be too few.
    """

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        self._lock = threading.Lock()
        self._opened: WeakKeyDictionary[BaseDatabaseWrapper, threading.Thread] = WeakKeyDictionary()
        self._of_earlier_tasks: WeakSet[BaseDatabaseWrapper] = WeakSet()
        connection_created.connect(self._note)

    def close_of_ended(self) -> bool:
        """Close those whose thread has ended; tell whether one of them was in a transaction."""
        with self._lock:
            if not self._opened:
                return False
            ended = [one for one, thread in self._opened.items() if not thread.is_alive()]
            for connection in ended:
                del self._opened[connection]
        was_in_transaction = False
        for connection in ended:
            was_in_transaction = was_in_transaction or _is_in_transaction(connection)
            connection.inc_thread_sharing()
            _close(connection)
        with self._lock:
            # Threads that go on without their task.
            self._of_earlier_tasks.update(self._opened)
        return was_in_transaction

    def interrupt(self) -> None:
        """Have what those of this task wait for end with an error; may be called from any thread."""
        with self._lock:
            opened = [one for one in self._opened if one not in self._of_earlier_tasks]
        for connection in opened:
            interrupt(connection)

    def _note(self, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        thread = threading.current_thread()
        if thread is not self._thread:
            with self._lock:
                self._opened[connection] = thread


def bypass_pools() -> None:
    """
    Make this process close its connections instead of giving them back to a pool.

    What a task has done to its session would otherwise reach the next one, and a thread of a worker
    runs one statement after the other. Call it before the first query.
    """
    discard_all()
    for alias, configured in connections.settings.items():
        options = {key: value for key, value in configured["OPTIONS"].items() if key != "pool"}
        connections.settings[alias] = {**configured, "OPTIONS": options, "CONN_MAX_AGE": None}


def discard_all() -> None:
    """Close all connections that the thread's code can get, in whatever state they are."""
    LentConnections().close()


def discard_open_transactions() -> None:
    """Close the connections that are left in a transaction, with autocommit off or after an error."""
    for connection in connections.all(initialized_only=True):
        is_sound = connection.autocommit and not connection.errors_occurred
        if not is_sound or _is_in_transaction(connection):
            _close(connection)
            del connections[connection.alias]


def _close(connection: BaseDatabaseWrapper) -> None:
    # Inside an atomic block, Django would keep the connection until the block is left.
    connection.in_atomic_block = False
    with suppress(*DATABASE_ERRORS):
        connection.close()


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.in_atomic_block:
        return True
    if connection.connection is None:
        return False
    if connection.vendor == "postgresql":
        return connection.connection.info.transaction_status in _PSYCOPG_IN_TRANSACTION
    try:
        return bool(getattr(connection.connection, "in_transaction", False))
    except sqlite3.ProgrammingError:
        # The task has closed the driver's connection, not Django's.
        return False
