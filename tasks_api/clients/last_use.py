"""When keys were last used; a separate thread writes it, so that no request waits for it."""

import logging
import threading
from datetime import timedelta

from django.db import DatabaseError, connections
from django.utils import timezone

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.models import ClientKey

INTERVAL = timedelta(minutes=1)
"""The minimum time between two writes for a key."""

logger = logging.getLogger("tasks_api.clients")


class LastUses:
    """The keys whose use has not been written yet; a thread runs while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._writer: threading.Thread | None = None

    def note(self, key: ClientKey) -> None:
        """Record that the key is used, unless the row was updated recently."""
        if key.last_used_at is not None and key.last_used_at > timezone.now() - INTERVAL:
            return
        with self._lock:
            self._pending.add(key.key_id)
            if self._writer is None:
                # A daemon: the process does not wait for it at its end.
                self._writer = threading.Thread(
                    target=self._write, name="last-use-of-keys", daemon=True
                )
                self._writer.start()

    def wait(self, timeout: float) -> None:
        """Wait until everything is written, for `timeout` seconds at most."""
        writer = self._writer
        if writer is not None:
            writer.join(timeout)

    def _write(self) -> None:
        try:
            while key_ids := self._take():
                with database_answers_within():
                    ClientKey.objects.used(key_ids, interval=INTERVAL)
        except DatabaseError as error:
            logger.warning("The last use of keys could not be written: %s", error)
        finally:
            with self._lock:
                if self._writer is threading.current_thread():
                    self._writer = None
            connections.close_all()

    def _take(self) -> set[str]:
        with self._lock:
            key_ids, self._pending = self._pending, set()
            if not key_ids:
                self._writer = None
            return key_ids


last_uses = LastUses()
