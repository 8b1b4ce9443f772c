"""The worker class of the web processes: gunicorn's threaded worker, for clients that are slow or hostile."""

import errno
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import PollableMethodQueue

from service.gunicorn_worker import limits
from service.gunicorn_worker.connections import ClientSocket, Connection
from service.gunicorn_worker.reception import Reception
from service.gunicorn_worker.serving import ServingWorker
from service.gunicorn_worker.shares import Share
from service.listening import FILES_OF_THREAD

PAUSE_SECONDS = 1
"""Between two attempts to accept a connection that there is no room for."""

ROUND_SECONDS = 0.1
"""How often the main thread looks whether all threads are busy."""


def patient_threads(threads: int) -> int:
    """Return how many threads wait for bodies: few, because they may hold connections to the database."""
    return max(2, threads // 4)


class LastingMethodQueue(PollableMethodQueue):
    """gunicorn's queue, whose pipe lasts as long as the process."""

    def close(self) -> None:
        # When time is up, threads are still busy, and wake the main thread afterwards: with the pipe closed,
        # they would write into whatever file has got its number, such as the database.
        pass


class ThreadWorker(ServingWorker):
    """
    gunicorn's threaded worker, except that no client occupies a thread before it has sent a head.

    - Threads take connections in turns (`Turns`), read what has arrived (`Reception`), and serve a request
      when it is complete. Only then do they wait for clients, within the limits of `limits`.
    - While all threads are busy, the main thread reads. `GET /livez` has a thread of its own then.
    - Requests whose body does not arrive in time, or is chunked, have a few threads of their own, so that clients
      who send slowly hold up only each other.
    - At the limit of connections, or without file descriptors, the oldest that no thread has is closed.
      If threads have all, one more is accepted, for `GET /livez`.
    - Refused requests are answered with problems, which repeat nothing, and logged with their own id.
    """

    reception: Reception

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = LastingMethodQueue()
        # The limit is applied where connections are accepted.
        self.worker_connections = sys.maxsize
        # Those whose request is left to the patient threads, which are all busy; the oldest first.
        self.queued: dict[Connection, None] = {}
        self._share = Share(self.age)
        self._free_patient_threads = patient_threads(self.cfg.threads)
        self._shortage = limits.Shortage()
        self._next_attempt = self._next_round = self._next_look = self._limited_until = 0.0
        self._threads_come_round = False

    def get_thread_pool(self) -> ThreadPoolExecutor:
        self.reception = Reception(self.cfg, self._on_close, self.give_up)
        self.liveness_thread = ThreadPoolExecutor(max_workers=1)
        self.patient_threads = ThreadPoolExecutor(max_workers=patient_threads(self.cfg.threads))
        return super().get_thread_pool()

    def run(self) -> None:
        # Django's apps are loaded by now; this module is imported before.
        from tasks_api.http.holding.places import places  # noqa: PLC0415
        from tasks_api.results.waiting import poller  # noqa: PLC0415

        self._end_waits = poller.stop
        places.limit = limits.most_held(self.cfg)
        try:
            for _ in range(self.cfg.threads):
                self.tpool.submit(self._serve_in_turn)
            with self._share.taking_part():
                super().run()
        finally:
            # Whatever has ended it: the process waits for its threads.
            self.reception.turns.stop()

    # In threads.

    def _serve_in_turn(self) -> None:
        turns = self.reception.turns
        while not turns.has_stopped:
            self._threads_come_round = True
            connection = turns.take()
            if connection is None:
                continue
            try:
                if self.reception.read(connection):
                    self._serve(connection)
            except BaseException:
                # SystemExit included: the thread is needed, even where the log cannot be written.
                self.reception.close(connection)
                with suppress(Exception):
                    self.log.exception("A connection was closed because of an error.")

    def _serve(self, connection: Connection) -> None:
        if connection.exchange is not None:
            connection.continue_request()
        else:
            connection.begin_request()
            if connection.needs_patience:
                self.method_queue.defer(self._queue, connection)
                return
        if self._go_on(connection, keeps=self.handle(connection)):
            # At the end of the queue, so that one connection cannot occupy a thread.
            self.reception.line_up(connection)

    def _go_on(self, connection: Connection, *, keeps: bool) -> bool:
        """Hold a request that waits, else begin with the next one; return whether it is there already."""
        if connection.exchange is None:
            return self.reception.end_request(connection, keeps=keeps)
        self.reception.hold(connection, connection.exchange)
        return False

    def _on_close(self) -> None:
        if not self.alive:
            # gunicorn waits for the last connection.
            self.method_queue.defer(lambda: None)

    # In the main thread: accepting connections.

    def set_accept_enabled(self, enabled: bool | None) -> None:
        has_room = self._can_make_room or self._next_attempt <= time.monotonic()
        super().set_accept_enabled(bool(enabled) and has_room)

    def accept(self, listener: Any) -> None:
        count = len(self.reception.open)
        if count > self.reception.limit and not self._can_make_room:
            self._pause_accepting()
            return
        self._share.yield_to_others(count)
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in limits.NO_DESCRIPTORS:
                self._shortage.report()
                if not self._close_oldest():
                    self._pause_accepting()
                if error.errno == errno.EMFILE:
                    self._lower_limit()
            elif error.errno not in {errno.EAGAIN, errno.ECONNABORTED}:
                raise
            return
        # Only now: another process may have taken the connection.
        self._make_room()
        descriptor = accepted.detach()
        client = ClientSocket(accepted.family, accepted.type, accepted.proto, descriptor)
        self.reception.receive(Connection(self.cfg, client, address, listener.getsockname()))

    @property
    def _can_make_room(self) -> bool:
        return self.reception.turns.has_waiting or bool(self.queued)

    def _close_oldest(self) -> bool:
        """Close an idle connection rather than one whose request is queued; return whether there is one."""
        count = len(self.reception.open)
        while oldest := self.reception.turns.take_oldest():
            if self.reception.end_idling(oldest):
                self._dispatch(oldest)
            if len(self.reception.open) < count:
                return True
        if self.queued:
            oldest = next(iter(self.queued))
            del self.queued[oldest]
            self.reception.close(oldest)
        return len(self.reception.open) < count

    def _lower_limit(self) -> None:
        """For a while, leave files to the threads, each of which may have to connect to the database yet."""
        count = len(self.reception.open) - FILES_OF_THREAD * self.cfg.threads
        self.reception.limit = max(2 * self.cfg.threads, count)
        self._limited_until = time.monotonic() + limits.LIMITED_SECONDS
        self._make_room()

    def _make_room(self) -> None:
        while len(self.reception.open) >= self.reception.limit and self._close_oldest():
            pass

    def _pause_accepting(self) -> None:
        self._next_attempt = time.monotonic() + PAUSE_SECONDS
        self.set_accept_enabled(False)

    # In the main thread: what has taken too long, and requests for particular threads.

    def is_parent_alive(self) -> bool:
        # As after SIGTERM: gunicorn would serve idle connections until time is up, with the port occupied.
        if not (is_alive := super().is_parent_alive()):
            self.alive = False
        return is_alive

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        super().wait_for_and_dispatch_events(min(timeout or ROUND_SECONDS, ROUND_SECONDS))
        # gunicorn stops when there are none.
        self.nr_conns = len(self.reception.open)
        self._share.update(self.nr_conns)
        self.reception.is_ending = not self.alive
        if not self.alive:
            self._end_waits()

    def murder_keepalived(self) -> None:
        now = time.monotonic()
        if now >= self._next_round:
            self._next_round = now + ROUND_SECONDS
            self._stand_in()
        if now >= self._limited_until:
            self.reception.limit = self.cfg.worker_connections
        if now >= self._next_look or not self.alive:
            self._next_look = now + 1
            for connection in self.reception.overdue():
                if self.reception.end_waiting(connection):
                    self._dispatch(connection)

    def _stand_in(self) -> None:
        """Read for threads if none of them has come round to it for a while."""
        if not self._threads_come_round:
            for connection in self.reception.turns.take_all():
                if self.reception.read(connection):
                    self._dispatch(connection)
        self._threads_come_round = False

    def _dispatch(self, connection: Connection) -> None:
        is_complete = connection.exchange is not None or connection.head.missing == 0
        if is_complete and not connection.head.asks_for_liveness:
            self.reception.line_up(connection)
            return
        connection.begin_request()
        if connection.needs_patience:
            self._queue(connection)
        else:
            self._submit(connection, self.liveness_thread)

    def _queue(self, connection: Connection) -> None:
        self.queued[connection] = None
        self._serve_queued()

    def _serve_queued(self) -> None:
        # Not in the queue of the pool, from which a connection could not be closed.
        if self.queued and self._free_patient_threads:
            self._free_patient_threads -= 1
            oldest = next(iter(self.queued))
            del self.queued[oldest]
            self._submit(oldest, self.patient_threads)

    def _submit(self, connection: Connection, pool: ThreadPoolExecutor) -> None:
        pool.submit(self.handle, connection).add_done_callback(
            lambda served: self.method_queue.defer(self._finish, connection, served)
        )

    def _finish(self, connection: Connection, served: Future[bool]) -> None:
        if connection.needs_patience:
            self._free_patient_threads += 1
            self._serve_queued()
        keeps = not served.cancelled() and served.exception() is None and served.result()
        if self._go_on(connection, keeps=keeps):
            self._dispatch(connection)
