"""The worker class of the web processes: gunicorn's threaded worker, for clients that are slow or hostile."""

import errno
import selectors
import socket
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.config import Config
from gunicorn.workers import gthread

from service.gunicorn_worker import limits, refusals
from service.gunicorn_worker.connections import ClientSocket, Connection
from service.gunicorn_worker.refusals import Refused

PAUSE_SECONDS = 1
"""Between two attempts to accept a connection that there is no room for."""


def patient_threads(threads: int) -> int:
    """Return how many threads wait for bodies: few, because they may hold connections to the database."""
    return max(2, threads // 4)


class ThreadWorker(gthread.ThreadWorker):
    """
    gunicorn's threaded worker, except that no client occupies a thread before it has sent a head.

    - The main thread reads and checks heads, skips bodies that were not read, and closes connections. It
      never waits for a client. gunicorn does all of this in threads, or waits in the main thread.
    - `GET /livez` has a thread of its own. Requests whose body does not arrive in time, or is chunked, have a
      few of their own, so that clients who send slowly hold up only each other.
    - At the limit of connections, or without file descriptors, the oldest that no thread has is closed.
      If threads have all, one more is accepted, for `GET /livez`.
    - Threads wait for clients only within the limits of `service.gunicorn_worker.limits`.
    - Refused requests are answered with problems, which repeat nothing, and logged with their own id.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The limit is applied where connections are accepted.
        self.worker_connections = sys.maxsize
        # Those that the main thread reads from, the one that has waited longest first.
        self.waiting: dict[Connection, None] = {}
        # Those whose request is left to the patient threads, which are all busy; the oldest first.
        self.queued: dict[Connection, None] = {}
        self._free_patient_threads = patient_threads(self.cfg.threads)
        self._shortage, self._overload = limits.Shortage(), limits.Overload()
        self._next_attempt = self._next_look = 0.0

    @classmethod
    def check_config(cls, cfg: Config, log: Any) -> None:
        limits.check_plain_http(cfg)

    def get_thread_pool(self) -> ThreadPoolExecutor:
        self.liveness_thread = ThreadPoolExecutor(max_workers=1)
        self.patient_threads = ThreadPoolExecutor(max_workers=patient_threads(self.cfg.threads))
        return super().get_thread_pool()

    # Accepting connections.

    def set_accept_enabled(self, enabled: bool | None) -> None:
        has_room = self._oldest() is not None or self._next_attempt <= time.monotonic()
        super().set_accept_enabled(bool(enabled) and has_room)

    def accept(self, listener: Any) -> None:
        is_full = self.nr_conns >= self.cfg.worker_connections
        if self.nr_conns > self.cfg.worker_connections and self._oldest() is None:
            self._pause_accepting()
            return
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in limits.NO_DESCRIPTORS:
                self._shortage.report()
                if not self._close_oldest():
                    self._pause_accepting()
            elif error.errno not in {errno.EAGAIN, errno.ECONNABORTED}:
                raise
            return
        if is_full:
            # Only now: another process may have taken the connection.
            self._close_oldest()
        is_extra = self.nr_conns >= self.cfg.worker_connections
        descriptor = accepted.detach()
        client = ClientSocket(accepted.family, accepted.type, accepted.proto, descriptor)
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.deadline = time.monotonic() + limits.HEAD_SECONDS
        connection.is_extra = is_extra
        self._read(connection)

    def _oldest(self) -> Connection | None:
        """Return what to close first: an idle connection rather than one whose request is queued."""
        return next(iter(self.waiting), None) or next(iter(self.queued), None)

    def _close_oldest(self) -> bool:
        oldest = self._oldest()
        if oldest is not None:
            self._close(oldest)
        return oldest is not None

    def _pause_accepting(self) -> None:
        self._next_attempt = time.monotonic() + PAUSE_SECONDS
        self.set_accept_enabled(False)

    # Connections that wait, in the main thread.

    def _wait(self, connection: Connection) -> None:
        if connection not in self.waiting:
            self.waiting[connection] = None
            self.poller.register(
                connection.sock, selectors.EVENT_READ, partial(self._on_readable, connection)
            )

    def _stop_waiting(self, connection: Connection) -> None:
        if connection in self.waiting:
            del self.waiting[connection]
            self.poller.unregister(connection.sock)

    def _on_readable(self, connection: Connection, _: socket.socket) -> None:
        # It may have been closed since the poller has reported it.
        if connection in self.waiting:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.sock.receive_now()
        except OSError:
            self._close(connection)
            return
        if data is None or (data and connection.is_closing):
            self._wait(connection)
        elif data:
            self._feed(connection, data)
        elif connection.is_closing or connection.is_idle:
            self._close(connection)
        elif connection.has_head:
            self._serve(connection)
        else:
            self._refuse(connection, Refused("The head of the request has no end."))

    def _feed(self, connection: Connection, data: bytes) -> None:
        was_idle, had_head = connection.is_idle, connection.has_head
        had_to_skip = connection.to_skip > 0
        try:
            connection.feed(data)
        except Refused as refused:
            self._refuse(connection, refused)
            return
        if connection.has_head and not connection.may_be_complete_soon:
            self._serve(connection)
            return
        if connection.has_head and not had_head:
            connection.deadline = time.monotonic() + limits.BODY_SECONDS
        elif was_idle and not connection.is_idle:
            connection.deadline = time.monotonic() + limits.HEAD_SECONDS
            self._stop_waiting(connection)
        elif had_to_skip and not connection.to_skip:
            connection.deadline = time.monotonic() + self.cfg.keepalive
        self._wait(connection)

    def _serve(self, connection: Connection) -> None:
        is_full = self.nr_conns > self.cfg.worker_connections
        if is_full and connection.is_extra and not connection.head.asks_for_liveness:
            self._overload.report()
            self._close(connection)
            return
        self._stop_waiting(connection)
        connection.begin_request()
        self.enqueue_req(connection)

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        refusals.send(refused, connection.sock, connection.client)
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Close a connection once the client has got the answer, or soon."""
        connection.is_closing = True
        connection.deadline = time.monotonic() + limits.LINGER_SECONDS
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._read(connection)

    def _close(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        self.queued.pop(connection, None)
        self.nr_conns -= 1
        connection.close()

    def murder_keepalived(self) -> None:
        now = time.monotonic()
        if self.alive and now < self._next_look:
            return
        self._next_look = now + 1
        for connection in list(self.waiting):
            is_silent = connection.is_closing or connection.is_idle
            if connection.deadline <= now and connection.has_head and not is_silent:
                self._serve(connection)
            elif connection.deadline <= now and not is_silent:
                late = Refused("The head did not arrive in time.", HTTPStatus.REQUEST_TIMEOUT)
                self._refuse(connection, late)
            elif connection.deadline <= now or (connection.is_idle and not self.alive):
                self._close(connection)

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        # When it stops, gunicorn would look for expired connections only after the next event.
        super().wait_for_and_dispatch_events(min(timeout or 1.0, 1.0))

    # Requests, in threads.

    def enqueue_req(self, conn: Any) -> None:
        if conn.needs_patience:
            self.queued[conn] = None
            self._serve_queued()
        else:
            self._submit(conn, self.liveness_thread if conn.asks_for_liveness else self.tpool)

    def _serve_queued(self) -> None:
        # Not in the queue of the pool, from which a connection could not be closed.
        if self.queued and self._free_patient_threads:
            self._free_patient_threads -= 1
            oldest = next(iter(self.queued))
            del self.queued[oldest]
            self._submit(oldest, self.patient_threads)

    def _submit(self, conn: Connection, pool: ThreadPoolExecutor) -> None:
        pool.submit(self.handle, conn).add_done_callback(
            lambda served: self.method_queue.defer(self.finish_request, conn, served)
        )

    def handle(self, conn: Any) -> Any:
        # In a context of its own: the request's id in the log is not the one of the request before.
        return Context().run(super().handle, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        return keepalive and not conn.sock.is_broken and conn.parser.mesg.unread is not None

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        if refused := refusals.refusal_of(exc):
            refusals.send(refused, client, addr)
        else:
            refusals.send_internal_error(req, client, exc)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        if conn.needs_patience:
            self._free_patient_threads += 1
            self._serve_queued()
        keeps = not fs.cancelled() and fs.exception() is None and fs.result() is True
        if not (keeps and self.alive):
            self._linger(conn)
            return
        ahead = conn.end_request()
        seconds = limits.HEAD_SECONDS if conn.to_skip else self.cfg.keepalive
        conn.deadline = time.monotonic() + seconds
        if ahead:
            # At the end of the queue, so that one connection cannot occupy a thread.
            self._feed(conn, ahead)
        else:
            self._wait(conn)
