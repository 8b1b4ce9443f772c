"""
What the parent writes about its workers: their rows, their heartbeats, and the end of the lost ones.

It reads as well which running tasks clients have cancelled, in one query for all of them.

A thread of its own, so that neither a database that hangs nor a signal's receiver keeps the parent
from its children, nor the children's doings delay a heartbeat.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.conf import tasks_api_settings
from tasks_api.models import TaskRun, Worker
from tasks_api.worker import announcing, messages
from tasks_api.worker.connection import OwnConnection
from tasks_api.worker.lost import Loss, end_lost_worker

logger = logging.getLogger("tasks_api.worker")

HEARTBEATS_UNTIL_LOST = 6
RETRY_SECONDS = 0.2
LOOK_SECONDS = 1.0
"""How often it is looked whether a running task was cancelled."""

type Tell = Callable[[bytes], None]
"""Sends a worker one of the `messages`."""


class Heartbeat(threading.Thread):
    """
    Registers workers, writes their heartbeats, and ends the tasks of lost workers.

    Lost are those whose process has ended, and those of other parents that are not seen any more.
    `on_declared_lost` is called with the ids of our own workers that others have declared lost,
    `on_cancelled` with the tasks of those that `running_tasks` returns that clients have cancelled.
    """

    def __init__(self, alias: str, queue_names: list[str]) -> None:
        super().__init__(name="heartbeat", daemon=True)
        settings = tasks_api_settings()
        self._alias = alias
        self._queue_names = queue_names
        self.on_declared_lost: Callable[[set[str]], None] = lambda worker_ids: None
        self.running_tasks: Callable[[], Collection[UUID]] = tuple
        self.on_cancelled: Callable[[set[UUID]], None] = lambda task_ids: None
        self._lost_after = settings.lost_after_seconds
        self._interval = settings.lost_after_seconds / HEARTBEATS_UNTIL_LOST
        self._lock = threading.Lock()
        self._unregistered: dict[str, tuple[int, Tell]] = {}
        self._registered: dict[str, Tell] = {}
        self._ended: dict[str, Loss] = {}
        self._unseen: dict[str, datetime] = {}
        self._announcements: list[threading.Thread] = []
        self._next_heartbeat = self._next_look = time.monotonic()
        self._is_stopping = False
        self._wake = threading.Event()

    def register(self, worker_id: str, pid: int, tell: Tell) -> None:
        """Write a row for a new worker and tell it so, and tell it of each heartbeat from then on."""
        with self._lock:
            self._unregistered[worker_id] = (pid, tell)
        self._wake.set()

    def has_ended(self, worker_id: str, loss: Loss) -> None:
        """Remove the row of a worker whose process has ended, and end its task."""
        with self._lock:
            self._unregistered.pop(worker_id, None)
            self._registered.pop(worker_id, None)
            self._ended[worker_id] = loss
        self._wake.set()

    def stop(self, timeout: float) -> bool:
        """
        End the thread once all ended workers are dealt with, as far as the time suffices.

        Receivers of `task_finished` are waited for as well. Tells whether no worker is left.
        """
        deadline = time.monotonic() + timeout
        self._is_stopping = True
        self._wake.set()
        self.join(timeout)
        # Not before: the last workers' tasks are announced by what the thread does until then.
        for thread in self._announcements:
            thread.join(max(0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._announcements):
            logger.error(
                "Not all receivers of task_finished returned within %g seconds of the shutdown; "
                "they are cut off",
                timeout,
            )
        return not self._ended

    def run(self) -> None:
        connection = OwnConnection(self._alias)
        is_failing = False
        while not self._is_stopping or self._ended:
            self._wake.clear()
            try:
                with connection.in_use():
                    pause = self._work()
            except Exception as error:
                # Others could not be seen either: none is lost before a whole heartbeat has passed.
                self._unseen = {}
                connection.renew()
                if not is_failing:
                    self._log_failure(error)
                is_failing = True
                pause = RETRY_SECONDS
            else:
                if is_failing:
                    logger.warning("Heartbeats are written again")
                is_failing = False
            if self._ended or not self._is_stopping:
                self._wake.wait(pause)
        connection.close()

    def _log_failure(self, error: Exception) -> None:
        logger.warning(
            "Heartbeats cannot be written: %s. This is tried again every %g seconds; after %d "
            "seconds other machines may end the tasks of this one",
            error,
            RETRY_SECONDS,
            self._lost_after,
            exc_info=not isinstance(error, DATABASE_ERRORS),
        )

    def _work(self) -> float:
        """Do what is due and return the seconds until more is."""
        # First, since it only reads: on SQLite, a task's transaction may keep everybody from writing.
        if time.monotonic() >= self._next_look:
            self._look_for_cancelled()
            self._next_look = time.monotonic() + LOOK_SECONDS
        self._register_all()
        is_due = time.monotonic() >= self._next_heartbeat
        if is_due:
            self._write_heartbeats()
        is_any_left = self._end_all()
        if is_due:
            self._look_for_lost()
            self._next_heartbeat = time.monotonic() + self._interval
        pause = max(0.0, min(self._next_heartbeat, self._next_look) - time.monotonic())
        return min(RETRY_SECONDS, pause) if is_any_left else pause

    def _look_for_cancelled(self) -> None:
        if running := self.running_tasks():
            runs = TaskRun.objects.using(self._alias).filter(pk__in=running)
            cancelled = runs.filter(cancel_requested_at__isnull=False)
            self.on_cancelled(set(cancelled.values_list("pk", flat=True)))

    def _register_all(self) -> None:
        with self._lock:
            unregistered = list(self._unregistered.items())
        for worker_id, (pid, tell) in unregistered:
            row = Worker(
                worker_id=worker_id,
                hostname=socket.gethostname(),
                pid=pid,
                queue_names=self._queue_names,
            )
            # Again after a lost answer, the row is there already.
            Worker.objects.using(self._alias).bulk_create([row], ignore_conflicts=True)
            with self._lock:
                if self._unregistered.pop(worker_id, None):
                    self._registered[worker_id] = tell
                    tell(messages.REGISTERED)

    def _write_heartbeats(self) -> None:
        with self._lock:
            registered = set(self._registered)
        workers = Worker.objects.using(self._alias)
        seen = workers.seen(registered)
        with self._lock:
            for tell in self._registered.values():
                tell(messages.HEARTBEAT)
        if seen == len(registered):
            return
        lost = registered - set(workers.filter(pk__in=registered).values_list("pk", flat=True))
        logger.error(
            "Other workers have declared lost, after %d seconds without heartbeats: %s. Their "
            "processes are killed and replaced",
            self._lost_after,
            ", ".join(sorted(lost)),
        )
        with self._lock:
            for worker_id in lost:
                self._registered.pop(worker_id, None)
        self.on_declared_lost(lost)

    def _end_all(self) -> bool:
        """Deal with the workers whose process has ended; tell whether any is left."""
        with self._lock:
            ended = list(self._ended.items())
        for worker_id, loss in ended:
            if self._end(worker_id, loss):
                with self._lock:
                    del self._ended[worker_id]
        return bool(self._ended)

    def _end(self, worker_id: str, loss: Loss, unseen_since: datetime | None = None) -> bool:
        try:
            return end_lost_worker(
                self._alias, worker_id, loss, announce=self._announce, unseen_since=unseen_since
            )
        except DATABASE_ERRORS as error:
            # The task is locked, say: neither a heartbeat nor another worker waits for that.
            logger.debug("The task of lost worker %s cannot be ended yet: %s", worker_id, error)
            return False

    def _announce(self, alias: str, task_id: UUID) -> None:
        self._announcements = [thread for thread in self._announcements if thread.is_alive()]
        self._announcements.append(announcing.announce(alias, task_id))

    def _look_for_lost(self) -> None:
        """End those that were unseen at the last look and have not been seen since."""
        unseen = Worker.objects.using(self._alias).unseen_for(self._lost_after)
        found = dict(unseen.values_list("pk", "last_seen_at"))
        for worker_id, last_seen_at in found.items():
            if self._unseen.get(worker_id) == last_seen_at:
                reason = f"not seen for {self._lost_after} seconds"
                self._end(worker_id, Loss(reason), unseen_since=last_seen_at)
        self._unseen = found
