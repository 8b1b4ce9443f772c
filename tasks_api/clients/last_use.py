"""When keys were last used: written by a thread of its own, so that no request waits for it."""

import logging
import threading
from datetime import timedelta

from django.db import DatabaseError, connections
from django.utils import timezone

from tasks_api.models import ClientKey

INTERVAL = timedelta(minutes=1)
"""How often the moment of a key is written at most."""

logger = logging.getLogger("tasks_api.clients")


class LastUses:
    """The keys whose use has yet to be written; there is a thread as long as there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._writer: threading.Thread | None = None

    def note(self, key: ClientKey) -> None:
        """Have it written that the key is used, unless the row says so already."""
        if key.last_used_at is not None and key.last_used_at > timezone.now() - INTERVAL:
            return
        with self._lock:
            self._pending.add(key.key_id)
            if self._writer is None:
                # A daemon: nobody waits at the end of the process for what is merely nice to know.
                self._writer = threading.Thread(
                    target=self._write, name="last-use-of-keys", daemon=True
                )
                self._writer.start()

    def wait(self, timeout: float) -> None:
        """Wait until all is written, for so many seconds at most."""
        writer = self._writer
        if writer is not None:
            writer.join(timeout)

    def _write(self) -> None:
        try:
            while key_ids := self._take():
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
