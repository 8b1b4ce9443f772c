"""Clients that hold on to the service: slow ones, silent ones, endless ones and many of them."""

import resource
import select
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.live_service import DEADLINE, LiveService, wait_until
from tests.service.gunicorn_worker.conftest import KINDS, THREADS, StartServer
from tests.service.gunicorn_worker.test_malformed_requests import BODY, head, problem_of

pytestmark = pytest.mark.sqlite

MANY = 32
LIVEZ = head("GET /livez HTTP/1.1", "Host: localhost")
HALF_A_HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "


@contextmanager
def connected(server: LiveService, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as connection:
        connection.sendall(sent)
        yield connection


def post(server: LiveService, *lines: str, keyed: bool = True) -> bytes:
    key = [f"Authorization: Bearer {server.key}"] if keyed else []
    json = "Content-Type: application/json"
    return head("POST /tasks/ HTTP/1.1", "Host: localhost", json, *key, *lines)


def everything_from(connection: socket.socket) -> bytes:
    """Read to the end, which is a reset where more was sent than the server wanted to read."""
    received = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def drip_until_closed(connection: socket.socket, drop: bytes) -> bytes:
    """Send a few bytes again and again, until the server ends the connection; return its answer."""
    received = b""
    connection.settimeout(0.1)

    def is_closed() -> bool:
        nonlocal received
        try:
            connection.sendall(drop)
            data = connection.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            return True
        received += data
        return not data

    wait_until(is_closed, what="end of the connection")
    return received


def assert_alive(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b'{"status":"ok"}'):
        answer += (received := connection.recv(65536))
        assert received
    assert answer.startswith(b"HTTP/1.1 200 ")


def assert_served(server: LiveService) -> None:
    assert server.get("/livez").status_code == 200
    assert server.get("/task-types/").status_code == 200


def test_half_a_head_occupies_nothing_and_has_a_deadline(server: LiveService) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(server, HALF_A_HEAD)) for _ in range(MANY)]
        assert_served(server)
        for connection in slow[:2]:
            problem_of(drip_until_closed(connection, b"x"), 408)
        for connection in slow[2:]:
            problem_of(everything_from(connection), 408)
    with connected(server) as silent:
        assert everything_from(silent) == b""


def test_the_body_of_a_refused_request_occupies_nothing(server: LiveService) -> None:
    announced = post(server, "Content-Length: 1000", keyed=False)
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(server, announced + b"{")) for _ in range(MANY)]
        assert_served(server)
        for connection in slow[:2]:
            # Under ASGI, Django reads the body before it refuses the request.
            answer = drip_until_closed(connection, b" ")
            assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 408 ")), answer
        for connection in slow[2:]:
            assert everything_from(connection).startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 408 "))


def test_a_connection_is_kept_as_long_after_a_body_that_was_skipped(
    threaded_server: LiveService,
) -> None:
    refused = post(threaded_server, f"Content-Length: {len(BODY)}", keyed=False) + BODY
    with connected(threaded_server, refused) as kept:
        answer = kept.recv(65536)
        while not answer.endswith(b"}"):
            answer += kept.recv(65536)
        assert answer.startswith(b"HTTP/1.1 401 ")
        with connected(threaded_server, HALF_A_HEAD) as late:
            problem_of(everything_from(late), 408)
        kept.sendall(LIVEZ)
        assert_alive(kept)


def test_a_dripped_body_holds_up_nobody_else_and_has_a_deadline(
    server: LiveService,
) -> None:
    announced = post(server, "Content-Length: 1000")
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(server, announced + b"{")) for _ in range(MANY)]
        assert_served(server)
        answer = drip_until_closed(slow[0], b" ")
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 ")), answer
        assert_served(server)


def test_liveness_needs_no_free_thread(start_server: StartServer) -> None:
    server = start_server(*KINDS[0])
    waiting = post(server, f"Content-Length: {len(BODY)}") + BODY
    database = sqlite3.connect(server.database_url.removeprefix("sqlite:///"))
    with ExitStack() as stack, closing(database), connected(server, LIVEZ) as kept:
        assert_alive(kept)
        # What all threads wait for.
        database.execute("BEGIN IMMEDIATE")
        busy = [stack.enter_context(connected(server, waiting)) for _ in range(2 * THREADS)]
        for _ in range(3):
            assert server.get("/livez").status_code == 200
            kept.sendall(LIVEZ)
            assert_alive(kept)
            # Several at once, too.
            kept.sendall(LIVEZ + LIVEZ)
            assert_alive(kept)
        assert select.select(busy, [], [], 0)[0] == []
        database.rollback()
        for connection in busy:
            assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")


def test_a_client_that_does_not_read_its_answers_to_liveness_holds_up_nobody(
    server: LiveService,
) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        deaf.settimeout(0.2)
        # Until the server reads no more, or ends the connection.
        with suppress(OSError):
            while True:
                deaf.sendall(LIVEZ * 1000)
        assert server.get("/livez").status_code == 200


CHUNKED = "Transfer-Encoding: chunked"
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)
BROKEN_CHUNKS = {
    "an extension without end": b"1;" + b"x" * 100_000,
    "many extensions": b"".join(b"1;%s\r\n \r\n" % (b"x" * 500) for _ in range(200)) + b"0\r\n\r\n",
    "a bare LF": CHUNK.replace(b"\r\n", b"\n", 1),
    "a bare LF after a chunk": CHUNK[:-2] + b"\n0\r\n\r\n",
    "no end of a chunk": CHUNK[:-2] + b"x\r\n0\r\n\r\n",
    "a sign": b"+" + CHUNK,
    "a prefix": b"0x" + CHUNK,
    "no size": b";x\r\n",
    "a huge size": b"fffffffffffffffff\r\n",
    "trailers without end": CHUNK + b"0\r\n" + b"X: y\r\n" * 20_000,
    "a trailer without end": CHUNK + b"0\r\nX: " + b"y" * 100_000,
    "a trailer without a colon": CHUNK + b"0\r\nX\r\n\r\n",
    **{
        f"the trailer {name}": CHUNK + b"0\r\n%s: 1\r\n\r\n" % name.encode()
        for name in (
            "Authorization",
            "content-length",
            "Transfer-Encoding",
            "Host",
            "TE",
            "Trailer",
        )
    },
}


@pytest.mark.parametrize("body", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
def test_a_chunked_body_that_is_broken_or_endless_is_refused(
    server: LiveService, body: bytes
) -> None:
    with connected(server, post(server, CHUNKED)) as connection:
        # It may be refused before its end.
        with suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(body)
        answer = everything_from(connection)

    assert answer.startswith(b"HTTP/1.1 400 ") or not answer, answer
    assert answer.count(b"HTTP/1.1") <= 1
    assert "Traceback" not in server.log()


def test_chunks_with_extensions_and_trailers_are_read(server: LiveService) -> None:
    body = b"%x;a=b\r\n%s\r\n0;c\r\nX-Checksum: 1\r\nIdempotency-Key: x\r\n\r\n" % (len(BODY), BODY)
    answers = server.raw(
        post(server, CHUNKED) + body + post(server, CHUNKED, "Connection: close") + body
    )

    assert answers.count(b"HTTP/1.1 202 ") == 2


def test_a_refused_chunked_body_ends_the_connection(threaded_server: LiveService) -> None:
    with connected(threaded_server, post(threaded_server, CHUNKED, keyed=False)) as connection:
        answer = everything_from(connection)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in answer


def test_an_endless_body_is_not_read(server: LiveService) -> None:
    for announced in ("Content-Length: 1000000000", CHUNKED):
        with connected(server, post(server, announced, keyed=False)) as connection:
            answer = drip_until_closed(connection, b"10000\r\n" + b"x" * 65536 + b"\r\n")
        assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 413 ")) or not answer
    assert_served(server)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[2]], ids="-".join)
@pytest.mark.parametrize("limited", [True, False], ids=["limited", "without descriptors"])
def test_idle_connections_make_room(
    start_server: StartServer, kind: tuple[str, str], *, limited: bool
) -> None:
    descriptors = 256 if limited else 128
    also = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors}))"
    server = start_server(*kind, also=also)
    if not limited:
        # More connections are allowed than there are descriptors.
        limit_connections(server, 1000)
    pids = worker_pids(server)
    with ExitStack() as stack:
        idle = []
        for _ in range(2 * descriptors):
            connection = stack.enter_context(connected(server, LIVEZ))
            assert_alive(connection)
            idle.append(connection)
        assert server.get("/task-types/").status_code == 200
        assert idle[0].recv(65536) == b""
        idle[-1].sendall(LIVEZ)
        assert_alive(idle[-1])
    assert worker_pids(server) == pids
    assert server.log().count("No file descriptor is left") == (0 if limited else 1)


def test_after_a_shortage_of_descriptors_as_many_connections_are_kept_as_before(
    start_server: StartServer,
) -> None:
    server = start_server(*KINDS[0], also="limits.LIMITED_SECONDS = 1")
    pid = worker_pid(server)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    few = len(list(Path(f"/proc/{pid}/fd").iterdir())) + MANY // 2

    def kept(count: int) -> int:
        with ExitStack() as stack:
            clients = [stack.enter_context(connected(server, LIVEZ)) for _ in range(count)]
            for client in clients:
                with suppress(ConnectionError):
                    client.recv(65536)
            closed, _, _ = select.select(clients, [], [], 0)
            return count - len(closed)

    assert kept(MANY) == MANY
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
    assert kept(MANY) < MANY
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    wait_until(lambda: kept(MANY) == MANY, what="room")


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[2]], ids="-".join)
def test_bodies_that_do_not_arrive_make_room(
    start_server: StartServer, kind: tuple[str, str]
) -> None:
    server = start_server(*kind, also="limits.PATIENCE_SECONDS = 1000")
    limit_connections(server, MANY)
    # A page that reads the body of a client without a key.
    announced = head(
        "POST /admin/login/ HTTP/1.1",
        "Host: localhost",
        f"Cookie: csrftoken={'a' * 32}",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Length: 100000",
    )
    with ExitStack() as stack:
        for _ in range(2 * MANY):
            stack.enter_context(connected(server, announced + b"csrf"))
            assert server.get("/livez").status_code == 200
        assert_served(server)


def test_liveness_has_room_where_every_connection_waits_for_a_thread(
    start_server: StartServer,
) -> None:
    server = start_server(*KINDS[0])
    limit_connections(server, MANY)
    waiting = post(server, f"Content-Length: {len(BODY)}") + BODY
    database = sqlite3.connect(server.database_url.removeprefix("sqlite:///"))
    with ExitStack() as stack, closing(database):
        # What the threads wait for.
        database.execute("BEGIN IMMEDIATE")

        def is_full() -> bool:
            connection = stack.enter_context(connected(server, waiting))
            connection.settimeout(0.2)
            with suppress(TimeoutError):
                return everything_from(connection) == b""
            return False

        for _ in range(MANY):
            stack.enter_context(connected(server, waiting))
        # One that has not been read yet may have been closed for another.
        wait_until(is_full, what="end of the room")
        for _ in range(3):
            with connected(server, LIVEZ) as connection:
                assert_alive(connection)
            with connected(server, head("GET / HTTP/1.1", "Host: localhost")) as connection:
                assert everything_from(connection) == b""
        assert server.log().count("are waiting for a thread") == 1


def limit_connections(server: LiveService, limit: int) -> None:
    conf = Path(server.gunicorn_arguments[0].partition("=")[2])
    conf.write_text(conf.read_text() + f"\nworker_connections = {limit}\n")
    server.stop_web()
    server.start_web()


def worker_pid(server: LiveService) -> int:
    assert server.web is not None
    children = Path(f"/proc/{server.web.pid}/task/{server.web.pid}/children")
    return int(children.read_text())


def worker_pids(server: LiveService) -> list[str]:
    return [line for line in server.log().splitlines() if "Booting worker" in line]
