"""The connections that no thread has, and how threads take them: in the order in which bytes arrive."""

import os
import select
import threading
from contextlib import suppress

from service.gunicorn_worker.connections import Connection
from service.gunicorn_worker.exchanges import Exchange

_READABLE = select.EPOLLIN | select.EPOLLONESHOT
# Not for reading as well: what has arrived meanwhile would be a reason to serve a client that does not read.
_WRITABLE = select.EPOLLOUT | select.EPOLLONESHOT
_HUNG_UP = select.EPOLLRDHUP | select.EPOLLONESHOT


class Turns:
    """
    Hands connections to threads, each to one thread at a time.

    All threads wait on one `epoll`; its list of ready files, in the kernel, is the queue. A connection belongs
    to the thread that has removed it from a dictionary here, which is atomic, until that thread gives it back
    or closes it. Nobody else may read, change or close it.

    What `epoll` reports is only a hint: meanwhile, another thread may have taken the connection, or closed it,
    and a new one may have the same number. Hints without a connection are dropped, and a connection without
    anything to read is given back. No hint is missing: each report disarms a file, and giving a connection back
    arms it after the dictionary has it.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        # By the number of the file. Only the main thread adds new ones, so that it can trust in the numbers.
        self._waiting: dict[int, Connection] = {}
        self._lined_up: dict[int, Connection] = {}
        self._held: dict[int, Connection] = {}
        # For the poller's thread, which takes connections without a hint of `epoll`.
        self._held_lock = threading.Lock()
        self._bell = os.eventfd(0)
        self._epoll.register(self._bell, select.EPOLLIN)
        self.has_stopped = False

    def add(self, connection: Connection) -> None:
        """Let a new connection wait for its client."""
        self._waiting[connection.file] = connection
        # A late hint about the number may have brought a thread here, which has closed the connection since.
        with suppress(OSError):
            self._epoll.register(connection.file, _READABLE)

    def give_back(self, connection: Connection) -> None:
        """Let a connection wait for its client."""
        self._waiting[connection.file] = connection
        self._arm(connection.file)

    def line_up(self, connection: Connection) -> None:
        """Let a complete request wait for a thread, behind all others, and until its client reads answers."""
        connection.is_lined_up = True
        self._lined_up[connection.file] = connection
        self._arm(connection.file)

    def hold(self, connection: Connection) -> None:
        """Let a request wait for something else than its client, who may hang up meanwhile."""
        connection.is_lined_up = False
        self._held[connection.file] = connection
        self._arm(connection.file)

    def take_held(self, connection: Connection, exchange: Exchange) -> bool:
        """Take a connection, in any thread, and return whether it was held for this request."""
        with self._held_lock:
            is_held = self._held.get(connection.file) is connection
            if not is_held or connection.exchange is not exchange:
                return False
            del self._held[connection.file]
            return True

    def _arm(self, file: int) -> None:
        # Another thread may have taken and closed the connection.
        with suppress(OSError):
            while True:
                awaited = self._awaited(file)
                self._epoll.modify(file, awaited)
                # The number may be that of another connection by now, which waits for something else.
                if awaited == self._awaited(file):
                    break

    def _awaited(self, file: int) -> int:
        if file in self._lined_up:
            return _WRITABLE
        return _HUNG_UP if file in self._held else _READABLE

    def take(self) -> Connection | None:
        """Wait for the next connection; None if another thread was faster, and after `stop`."""
        for file, _ in self._epoll.poll(-1, 1):
            return self._remove(file)
        return None

    def take_all(self) -> list[Connection]:
        """Take all that are ready, without waiting."""
        found = [self._remove(file) for file, _ in self._epoll.poll(0)]
        return [connection for connection in found if connection is not None]

    def take_this(self, connection: Connection) -> bool:
        """Take a connection, in the main thread, and return whether no other has it."""
        return self._remove(connection.file) is not None

    def take_oldest(self) -> Connection | None:
        """Take the one that has waited longest for its client, in the main thread."""
        while waiting := list(self._waiting.values()):
            oldest = min(waiting, key=lambda connection: connection.since)
            if self._waiting.pop(oldest.file, None) is not None:
                return oldest
        return None

    def _remove(self, file: int) -> Connection | None:
        connection = self._waiting.pop(file, None) or self._lined_up.pop(file, None)
        if connection is None and file in self._held:
            with self._held_lock:
                connection = self._held.pop(file, None)
        return connection

    @property
    def has_waiting(self) -> bool:
        """Whether a connection waits for its client."""
        return bool(self._waiting)

    def everyone(self) -> list[Connection]:
        """Return the connections that no thread has, without those that are held."""
        return [*self._waiting.values(), *self._lined_up.values()]

    def stop(self) -> None:
        """Wake all threads, for which there are no more connections."""
        self.has_stopped = True
        os.eventfd_write(self._bell, 1)
