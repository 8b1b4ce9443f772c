"""The parts of the worker classes by themselves: heads, chunks, sockets, connections, refusals."""

import logging
import resource
import socket
import threading
from itertools import pairwise
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from service.gunicorn_worker import limits, refusals
from service.gunicorn_worker.chunks import ChunkedBody
from service.gunicorn_worker.connections import ClientSocket
from service.gunicorn_worker.heads import Head
from service.gunicorn_worker.refusals import BrokenBody, Refused
from service.listening import MAX_CONNECTIONS, Listening
from tests.live_service import wait_until

pytestmark = pytest.mark.sqlite

HEAD = b"POST /tasks/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


CUTS = st.lists(st.integers(0, 200), max_size=20)


@given(CUTS)
def test_a_head_is_complete_at_its_end_however_it_is_cut(cuts: list[int]) -> None:
    head = Head()

    *before, last = pieces(HEAD, cuts)
    assert not any(head.feed(piece) for piece in before)
    assert head.feed(last)
    assert head.missing == 5
    assert head.feed(b"body")
    assert head.missing == 1
    assert head.take() == HEAD + b"body"


@given(CUTS)
def test_a_bare_line_feed_is_refused_however_the_head_is_cut(cuts: list[int]) -> None:
    head = Head()

    sent = pieces(HEAD.replace(b"localhost\r\n", b"localhost\n"), cuts)

    with pytest.raises(Refused):
        any(head.feed(piece) for piece in sent)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("X: y", 0),
        ("content-length:7", 7),
        ("Transfer-Encoding: chunked", None),
        ("Expect: 1", None),
    ],
)
def test_what_is_missing_is_known_of_the_head(line: str, missing: int | None) -> None:
    head = Head()
    assert head.feed(f"POST / HTTP/1.1\r\n{line}\r\n\r\n".encode())
    assert head.missing == missing


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), CUTS)
def test_chunks_are_put_together_however_they_are_cut(
    content: list[bytes], cuts: list[int]
) -> None:
    sent = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in content)
    sent += b"0\r\nX: y\r\n\r\nGET"
    body, received = ChunkedBody(), b""
    rest = b""

    for piece in pieces(sent, cuts):
        if body.is_complete:
            rest += piece
        else:
            received += body.feed(piece)
    assert received == b"".join(content)
    assert body.rest + rest == b"GET"


@pytest.mark.parametrize(
    "sent",
    [
        b"1;" + b"x" * limits.MAX_CHUNK_LINE_BYTES,
        b"0\r\n" + b"X: y\r\n" * limits.MAX_TRAILER_BYTES,
        b"0\r\nX: " + b"y" * limits.MAX_TRAILER_BYTES,
        b"1;%s\r\n \r\n" % (b"x" * 100) * limits.MAX_CHUNK_OVERHEAD_BYTES,
        b"1\r\n  \r\n",
        b"-1\r\n",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 8192])
def test_a_chunked_body_has_bounds_however_it_is_cut(sent: bytes, size: int) -> None:
    body = ChunkedBody()

    with pytest.raises(BrokenBody):
        b"".join(body.feed(sent[start : start + size]) for start in range(0, len(sent), size))


def test_a_byte_in_each_chunk_is_allowed() -> None:
    body = ChunkedBody()

    assert body.feed(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n") == b"x" * 100_000
    assert body.is_complete


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[ClientSocket, socket.socket]:
    monkeypatch.setattr(limits, "PATIENCE_SECONDS", 0.3)
    server, client = socket.socketpair()
    ours = ClientSocket(server.family, server.type, server.proto, server.detach())
    ours.patience = limits.PATIENCE_SECONDS
    return ours, client


def test_a_client_that_drips_wears_out_the_patience(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    ours, client = pair
    given_up = threading.Event()

    def drip() -> None:
        while not given_up.wait(0.05):
            client.send(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()

    def is_given_up() -> bool:
        try:
            return not ours.recv(1)
        except ConnectionResetError:
            return True

    wait_until(is_given_up, what="end of the patience")
    given_up.set()
    dripping.join()
    assert ours.is_broken
    assert ours.gettimeout() is None
    ours.close()
    client.close()


def test_what_arrives_in_bursts_counts_as_a_whole(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    ours, client = pair
    burst = int(0.1 * limits.LEAST_BYTES_PER_SECOND)
    ours.patience = 0.1

    client.send(bytes(burst))
    while burst:
        burst -= len(ours.recv(100))

    assert ours.patience == pytest.approx(0.2, abs=0.01)
    ours.close()
    client.close()


def test_a_client_that_does_not_read_wears_out_the_patience(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    ours, client = pair

    with pytest.raises(ConnectionResetError):
        ours.sendall(bytes(50_000_000))
    assert ours.is_broken
    ours.close()
    client.close()


def test_a_client_that_reads_is_sent_all(pair: tuple[ClientSocket, socket.socket]) -> None:
    ours, client = pair
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.extend(iter(lambda: client.recv(65536), b"")))
    reading.start()

    ours.sendall(b"x" * 5_000_000)
    ours.close()
    reading.join()
    client.close()
    assert sum(map(len, read)) == 5_000_000


MOST = MAX_CONNECTIONS + 500
"""With those that wait."""


@pytest.mark.parametrize(
    ("files", "connections"),
    [(resource.RLIM_INFINITY, MOST), (1_000_000, MOST), (256, 144), (20, 16)],
)
def test_connections_follow_the_limit_of_files(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))

    assert Listening.from_environment().connections == connections


@pytest.mark.parametrize(
    ("setting", "value"),
    [("certfile", __file__), ("proxy_protocol", True), ("http2_cleartext", "upgrade")],
)
def test_only_plain_http_can_be_configured(setting: str, value: object) -> None:
    config = Config()
    limits.check_plain_http(config)
    config.set(setting, value)

    with pytest.raises(RuntimeError, match="plain HTTP"):
        limits.check_plain_http(config)


def test_an_error_outside_of_django_shows_no_query(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[bytes] = []
    request = SimpleNamespace(method="GET", path="/tasks/", uri="/tasks/?secret")

    with caplog.at_level(logging.ERROR, "gunicorn.error"):
        refusals.send_internal_error(
            request, SimpleNamespace(send_now=sent.append), ValueError("x")
        )
    assert "GET /tasks/ failed" in caplog.text
    assert "secret" not in caplog.text + repr(sent)
    assert sent[0].startswith(b"HTTP/1.1 500 ")
    assert b'"code":"internal_error"' in sent[0]
