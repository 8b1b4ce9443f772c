"""
What the parent writes about its children: that they are born, that they live, that they died.

A thread of its own, so that neither a database that hangs nor a signal's receiver keeps the parent
from its children, nor the children's doings delay a heartbeat.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.db import connections
from django.tasks import TaskResultStatus

from tasks_api.conf import tasks_api_settings
from tasks_api.models import Worker
from tasks_api.worker.connection import DATABASE_ERRORS, discard
from tasks_api.worker.lost import announce, bury

logger = logging.getLogger("tasks_api.worker")

BEATS_UNTIL_LOST = 6
RETRY_SECONDS = 0.2


class Heart(threading.Thread):
    """
    Registers, beats and buries, and looks for other parents' workers that went away.

    `on_usurped` is called with the ids of children that others have declared lost.
    """

    def __init__(self, alias: str, queue_names: list[str]) -> None:
        super().__init__(name="heart", daemon=True)
        settings = tasks_api_settings()
        self._alias = alias
        self._queue_names = queue_names
        self.on_usurped: Callable[[set[str]], None] = lambda worker_ids: None
        self._lost_after = settings.lost_after_seconds
        self._interval = settings.lost_after_seconds / BEATS_UNTIL_LOST
        self._lock = threading.Lock()
        self._unborn: dict[str, tuple[int, Callable[[], None]]] = {}
        self._living: set[str] = set()
        self._dead: dict[str, str] = {}
        self._suspects: dict[str, datetime] = {}
        self._announcements: list[threading.Thread] = []
        self._next_beat = time.monotonic()
        self._is_stopping = False
        self._wake = threading.Event()

    def is_born(self, worker_id: str, pid: int, go: Callable[[], None]) -> None:
        """Write a row for a new child, then let it `go`."""
        with self._lock:
            self._unborn[worker_id] = (pid, go)
        self._wake.set()

    def is_dead(self, worker_id: str, reason: str) -> None:
        """Remove the row of a child that is gone, and end its task."""
        with self._lock:
            self._unborn.pop(worker_id, None)
            self._living.discard(worker_id)
            self._dead[worker_id] = reason
        self._wake.set()

    def stop(self, timeout: float) -> bool:
        """Bury the last dead, as far as the time suffices; tell whether none is left."""
        deadline = time.monotonic() + timeout
        self._is_stopping = True
        self._wake.set()
        for thread in (self, *self._announcements):
            thread.join(max(0, deadline - time.monotonic()))
        return not self._dead

    def run(self) -> None:
        is_away = False
        while not self._is_stopping or self._dead:
            self._wake.clear()
            try:
                pause = self._work()
            except Exception as error:
                # Others could not be seen either: judge nobody before a whole heartbeat has passed.
                self._suspects = {}
                discard(self._alias)
                if not is_away:
                    is_bug = not isinstance(error, DATABASE_ERRORS)
                    logger.warning("The heart's work fails: %s", error, exc_info=is_bug)
                is_away = True
                pause = RETRY_SECONDS
            else:
                is_away = False
            if self._dead or not self._is_stopping:
                self._wake.wait(pause)
        connections.close_all()

    def _work(self) -> float:
        """Do what is due and return the seconds until more is."""
        self._register()
        is_due = time.monotonic() >= self._next_beat
        if is_due:
            self._beat()
        is_anybody_left = self._bury_dead()
        if is_due:
            self._look_for_lost()
            self._next_beat = time.monotonic() + self._interval
        until_beat = max(0.0, self._next_beat - time.monotonic())
        return min(RETRY_SECONDS, until_beat) if is_anybody_left else until_beat

    def _register(self) -> None:
        with self._lock:
            unborn = list(self._unborn.items())
        for worker_id, (pid, go) in unborn:
            row = Worker(
                worker_id=worker_id,
                hostname=socket.gethostname(),
                pid=pid,
                queue_names=self._queue_names,
            )
            # Again after a lost answer, the row is there already.
            Worker.objects.using(self._alias).bulk_create([row], ignore_conflicts=True)
            with self._lock:
                if self._unborn.pop(worker_id, None):
                    self._living.add(worker_id)
                    go()

    def _bury_dead(self) -> bool:
        with self._lock:
            dead = list(self._dead.items())
        for worker_id, reason in dead:
            if self._bury(worker_id, reason):
                with self._lock:
                    del self._dead[worker_id]
        return bool(self._dead)

    def _bury(self, worker_id: str, reason: str, unseen_since: datetime | None = None) -> bool:
        try:
            burial = bury(self._alias, worker_id, reason, unseen_since=unseen_since)
        except DATABASE_ERRORS as error:
            # The task is locked, say: neither a heartbeat nor another burial waits for that.
            logger.debug("Worker %s is not buried yet: %s", worker_id, error)
            return False
        if burial is None:
            return False
        if burial.task is not None and burial.task.status == TaskResultStatus.FAILED:
            self._announcements = [thread for thread in self._announcements if thread.is_alive()]
            self._announcements.append(announce(self._alias, burial.task.pk))
        return True

    def _beat(self) -> None:
        with self._lock:
            living = set(self._living)
        workers = Worker.objects.using(self._alias)
        if workers.seen(living) == len(living):
            return
        usurped = living - set(workers.filter(pk__in=living).values_list("pk", flat=True))
        logger.error("Declared lost by others: %s", ", ".join(sorted(usurped)))
        with self._lock:
            self._living -= usurped
        self.on_usurped(usurped)

    def _look_for_lost(self) -> None:
        """Judge those that were unseen at the last look and have not been seen since."""
        unseen = Worker.objects.using(self._alias).unseen_for(self._lost_after)
        found = dict(unseen.values_list("pk", "last_seen_at"))
        for worker_id, last_seen_at in found.items():
            if self._suspects.get(worker_id) == last_seen_at:
                reason = f"not seen for {self._lost_after} seconds"
                self._bury(worker_id, reason, unseen_since=last_seen_at)
        self._suspects = found
