"""Threads that share connections: each has one at a time, and none is forgotten."""

import os
import random
import select
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest
from gunicorn.config import Config

from service.gunicorn_worker import limits
from service.gunicorn_worker.connections import ClientSocket, Connection
from service.gunicorn_worker.reception import Reception
from service.gunicorn_worker.turns import Turns
from service.gunicorn_worker.worker import LastingMethodQueue
from tests.live_service import DEADLINE, LiveService, wait_until
from tests.service.gunicorn_worker.conftest import KINDS, THREADS, StartServer
from tests.service.gunicorn_worker.test_malformed_requests import BODY, head
from tests.service.gunicorn_worker.test_slow_clients import (
    LIVEZ,
    assert_alive,
    connected,
    limit_connections,
    post,
)

pytestmark = pytest.mark.sqlite

CLIENTS = 8
ROUNDS = 300


def pair_of(turns: Turns) -> tuple[Connection, socket.socket]:
    ours, client = socket.socketpair()
    client.settimeout(DEADLINE)
    connection = Connection(
        Config(), ClientSocket(ours.family, ours.type, ours.proto, ours.detach()), "", ""
    )
    turns.add(connection)
    return connection, client


def together(*work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(each) for each in work]:
            done.result(DEADLINE)


class Echo:
    """Threads that send back what clients send, and check that nobody else has the connection."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]
        self.ways = cycle([turns.give_back, turns.give_back, turns.line_up])
        self.taken: set[Connection] = set()
        self.faults: list[str] = []

    def run(self) -> None:
        while not self.turns.has_stopped:
            if connection := self.turns.take():
                self.have(connection)

    def have(self, connection: Connection) -> None:
        if connection in self.taken:
            self.faults.append("Two threads have a connection.")
        self.taken.add(connection)
        if data := connection.sock.receive_now():
            connection.sock.send_now(data)
        self.taken.discard(connection)
        next(self.ways)(connection)

    def interfere(self) -> None:
        """Do as the main thread does with what is overdue, with all that is ready, and with the oldest."""
        for _ in range(ROUNDS):
            everyone = self.turns.everyone()
            taken = [connection for connection in everyone if self.turns.take_this(connection)]
            taken += self.turns.take_all()
            if oldest := self.turns.take_oldest():
                taken.append(oldest)
            for connection in taken:
                self.have(connection)


def test_each_connection_is_with_one_thread_and_none_is_forgotten() -> None:
    turns = Turns()
    echo = Echo(turns)
    clients = [pair_of(turns)[1] for _ in range(CLIENTS)]

    def talk(client: socket.socket) -> None:
        for number in range(ROUNDS):
            client.sendall(b"%d" % number)
            assert client.recv(100) == b"%d" % number

    for thread in echo.threads:
        thread.start()
    together(echo.interfere, *[partial(talk, client) for client in clients])
    turns.stop()
    for thread in echo.threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    assert echo.faults == []
    for end in (*turns.everyone(), *clients):
        end.close()


def test_a_new_connection_with_the_number_of_a_closed_one_keeps_its_turn() -> None:
    turns = Turns()
    closed, gone = pair_of(turns)
    assert turns.take_this(closed)
    closed.close()
    gone.close()
    connection, client = pair_of(turns)
    assert connection.file == closed.file
    assert turns.take_this(connection)
    turns.line_up(connection)

    # What a thread does that was interrupted before the other was closed.
    turns._arm(closed.file)

    assert turns.take_all() == [connection]
    connection.close()
    client.close()


def test_a_new_connection_may_be_closed_before_it_is_registered() -> None:
    turns = Turns()
    connection, client = pair_of(turns)
    assert turns.take_this(connection)
    connection.close()
    client.close()

    # What the main thread does that was interrupted while a thread had the connection.
    turns.add(connection)

    assert turns.take_all() == []


def test_a_request_that_is_lined_up_comes_last_and_not_before_its_client_reads() -> None:
    turns = Turns()
    first, one = pair_of(turns)
    second, two = pair_of(turns)
    one.sendall(b"1")
    two.sendall(b"2")
    assert turns.take() is first
    turns.line_up(first)

    assert turns.take() is second
    assert turns.take() is first
    with suppress(BlockingIOError):
        while True:
            socket.socket.send(first.sock, bytes(65536), socket.MSG_DONTWAIT)
    one.sendall(b"More requests are no reason to begin with the next one.")
    turns.line_up(first)
    assert turns.take_all() == []
    assert not first.sock.is_writable()
    for end in (first, second, one, two):
        end.close()


def answers_from(connection: socket.socket, count: int, end: bytes) -> bytes:
    received = b""
    while received.count(end) < count and (data := connection.recv(65536)):
        received += data
    return received


def behave(server: LiveService, seed: int) -> None:
    """Connect, leave, send byte by byte, or several requests at once, in any order."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    for _ in range(20):
        with connected(server) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(chance.randrange(4)):
                count = chance.randint(1, 5)
                sent = LIVEZ * count
                size = chance.choice([1, 7, len(sent)])
                for start in range(0, len(sent), size):
                    connection.sendall(sent[start : start + size])
                received = answers_from(connection, count, b'{"status":"ok"}')
                assert received.count(b"HTTP/1.1 200 ") == count, received
            if chance.random() < 0.3:
                connection.sendall(LIVEZ[: chance.randrange(len(LIVEZ))])


def test_clients_that_behave_in_all_ways_at_once_are_all_answered(
    threaded_server: LiveService,
) -> None:
    together(*[partial(behave, threaded_server, seed) for seed in range(CLIENTS)])

    assert "Traceback" not in threaded_server.log()


def test_clients_are_answered_at_the_limit_of_connections(start_server: StartServer) -> None:
    server = start_server(*KINDS[0])
    limit_connections(server, CLIENTS // 2)

    def ask() -> None:
        # A connection may be closed for another one, but not after its request has begun to be served.
        answered = 0
        while answered < 20:
            with connected(server) as connection, suppress(ConnectionError):
                connection.sendall(LIVEZ)
                received = answers_from(connection, 1, b'{"status":"ok"}')
                answered += b"HTTP/1.1 200 " in received
                assert not received or received.endswith(b'{"status":"ok"}')

    together(*[ask] * CLIENTS)
    server.stop_web()
    assert "Traceback" not in server.log()


def test_whatever_is_stored_before_the_server_stops_is_answered(start_server: StartServer) -> None:
    server = start_server(*KINDS[0])
    request = post(server, f"Content-Length: {len(BODY)}") + BODY
    answered: list[int] = []

    def enqueue(at_once: int) -> None:
        accepted = 0
        with connected(server) as connection, suppress(ConnectionError):
            while True:
                connection.sendall(request * at_once)
                received = answers_from(connection, at_once, b"HTTP/1.1 202 ")
                accepted += received.count(b"HTTP/1.1 202 ")
                if not received or b"Connection: close" in received:
                    break
        answered.append(accepted)

    clients = [
        threading.Thread(target=enqueue, args=(1 + number % 2,)) for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    with closing(sqlite3.connect(server.database_url.removeprefix("sqlite:///"))) as database:

        def stored() -> int:
            count: int = database.execute(
                "SELECT count(*) FROM django_tasks_database_dbtaskresult"
            ).fetchone()[0]
            return count

        wait_until(lambda: stored() > 2 * CLIENTS, what="stored tasks")
        server.stop_web()
        for client in clients:
            client.join(DEADLINE)
        assert sum(answered) == stored()
    assert "Traceback" not in server.log()


def test_threads_survive_whatever_a_request_raises(start_server: StartServer) -> None:
    server = start_server(*KINDS[0])
    conf = Path(server.gunicorn_arguments[0].partition("=")[2])
    hook = """
def pre_request(worker, request):
    if request.path == "/exit":
        # The log fails as well.
        worker.log.exception = None
        raise SystemExit
"""
    conf.write_text(conf.read_text() + hook)
    server.stop_web()
    server.start_web()

    for _ in range(2 * THREADS):
        assert server.raw(head("GET /exit HTTP/1.1", "Host: localhost")) == b""

    assert server.get("/task-types/").status_code == 200


def test_a_server_without_parent_ends_idle_connections(start_server: StartServer) -> None:
    server = start_server(*KINDS[0])
    server.stop_web()
    # In which gunicorn would wait for them.
    server.graceful_seconds = 1000
    server.start_web()
    with connected(server, LIVEZ) as kept:
        assert_alive(kept)
        assert server.web is not None
        server.web.kill()
        assert kept.recv(100) == b""


def test_a_server_that_ends_lets_clients_receive_their_last_answer() -> None:
    reception = Reception(Config(), lambda: None, lambda exchange: None)
    reception.is_ending = True
    connection, client = pair_of(reception.turns)
    reception.open.add(connection)
    assert reception.turns.take_this(connection)

    # To close it at once would be a reset, if the client has sent anything more.
    reception.end_request(connection, keeps=False)

    assert reception.overdue() == []
    client.close()
    for ready in reception.turns.take_all():
        assert not reception.read(ready)
    assert not reception.open


def test_a_server_that_ends_waits_a_moment_for_the_first_request() -> None:
    reception = Reception(Config(), lambda: None, lambda exchange: None)
    reception.is_ending = True
    connection, client = pair_of(reception.turns)
    connection.wait_for(limits.HEAD_SECONDS)

    assert reception.overdue() == []
    connection.since -= limits.UNUSED_SECONDS
    assert reception.overdue() == [connection]
    connection.close()
    client.close()


def test_a_thread_that_is_late_writes_into_no_other_file() -> None:
    queue = LastingMethodQueue()
    queue.init()
    queue.close()
    read, write = os.pipe()

    queue.defer(print)

    assert select.select([read], [], [], 0)[0] == []
    for file in (read, write, queue._read_fd, queue._write_fd):
        os.close(file)


def test_a_new_client_is_served_while_others_end(threaded_server: LiveService) -> None:
    last = head("GET /livez HTTP/1.1", "Host: localhost", "Connection: close")

    def ask() -> None:
        for _ in range(20):
            assert threaded_server.raw(last).startswith(b"HTTP/1.1 200 ")

    together(*[ask] * CLIENTS)
