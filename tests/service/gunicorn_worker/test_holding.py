"""What becomes of a held request at moments that a client can hardly bring about."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from service.gunicorn_worker.answers import Answer
from service.gunicorn_worker.connections import Connection
from service.gunicorn_worker.exchanges import Exchange
from service.gunicorn_worker.reception import Reception
from tasks_api.http.protocol.holding import HELD, HOLDS
from tests.service.gunicorn_worker.test_slow_clients import LIVEZ
from tests.service.gunicorn_worker.test_turns import pair_of

pytestmark = pytest.mark.sqlite


class Held:
    """A hold of which a test says when it ends."""

    def __init__(self, *, is_stream: bool = False, ends_at_once: bool = False) -> None:
        self.is_stream = is_stream
        self.ends_at_once = ends_at_once
        self.calls: list[str] = []
        self.end: Callable[[], object] = lambda: None

    def start(self, then: Callable[[], object]) -> None:
        self.calls.append("start")
        self.end = then
        if self.ends_at_once:
            then()

    def cancel(self) -> bool:
        self.calls.append("cancel")
        return True

    def following(self) -> tuple[bytes, bool]:
        raise ValueError("The stream is broken.")


class Place:
    """A reception with one connection, whose request is to be held."""

    def __init__(self) -> None:
        self.given_up: list[Exchange] = []
        self.reception = Reception(Config(), lambda: None, self.given_up.append)
        self.connection, self.client = pair_of(self.reception.turns)
        assert self.reception.turns.take_this(self.connection)
        self.reception.open.add(self.connection)

    def hold(self, hold: Held) -> Exchange:
        exchange = self.connection.exchange = Exchange(None, {})
        exchange.hold = hold
        self.reception.hold(self.connection, exchange)
        return exchange

    def lined_up(self) -> list[Connection]:
        found = self.reception.turns.take_all()
        return [connection for connection in found if self.reception.read(connection)]


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.client.close()
    place.connection.close()


def test_what_ends_before_the_connection_is_put_aside_is_served(place: Place) -> None:
    place.hold(Held(ends_at_once=True))

    assert place.lined_up() == [place.connection]


def test_what_ends_while_a_thread_looks_for_the_client_is_served(place: Place) -> None:
    exchange = place.hold(Held())
    assert place.reception.turns.take_this(place.connection)
    exchange.hold.end()
    assert place.lined_up() == []

    assert not place.reception.read(place.connection)

    assert place.lined_up() == [place.connection]


def assert_only_its_own_end_counts(place: Place, late: Callable[[], object]) -> None:
    """Hold another request, which the late end of an earlier one leaves alone."""
    assert place.reception.turns.take_this(place.connection)
    exchange = place.hold(Held())

    late()
    assert place.lined_up() == []

    exchange.hold.end()
    assert place.lined_up() == [place.connection]


def test_an_end_that_is_late_takes_no_other_connection_with_the_number(place: Place) -> None:
    late = place.hold(Held()).hold.end
    place.reception.close(place.connection)
    place.client.close()
    number = place.connection.file
    place.connection, place.client = pair_of(place.reception.turns)
    assert place.connection.file == number
    assert_only_its_own_end_counts(place, late)


def test_an_end_that_is_late_does_not_end_the_next_wait(place: Place) -> None:
    late = place.hold(Held()).hold.end
    assert_only_its_own_end_counts(place, late)


def test_a_held_connection_is_not_closed_as_idle(place: Place) -> None:
    place.connection.deadline = 0
    place.hold(Held())
    # What the main thread does with one that was waiting when it looked.
    assert place.reception.turns.take_this(place.connection)

    assert not place.reception.end_waiting(place.connection)

    assert place.reception.open == {place.connection}
    assert place.reception.turns.take_oldest() is None


def test_a_stream_whose_client_does_not_read_is_given_up(place: Place) -> None:
    exchange = place.hold(Held(is_stream=True))
    exchange.hold.end()
    place.connection.deadline = 0
    while place.connection.sock.is_writable():
        place.connection.sock.send_now(bytes(65536))
    (overdue,) = place.reception.overdue()

    assert not place.reception.end_waiting(overdue)

    assert exchange.hold.calls == ["start", "cancel"]
    assert place.given_up == [exchange]
    assert not place.reception.open


@pytest.mark.parametrize("is_stream", [True, False])
def test_a_client_may_have_gone_before_the_wait_begins(place: Place, is_stream: bool) -> None:
    place.client.close()
    exchange = place.hold(Held(is_stream=is_stream))

    assert place.lined_up() == []

    # Both ends of a pair of local sockets are closed, as after a reset.
    assert exchange.hold.calls == ["start", "cancel", "cancel"]
    assert place.given_up == [exchange]
    assert not place.reception.open


def test_a_request_that_cannot_wait_is_given_up(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    class Unheld(Held):
        def start(self, then: Callable[[], object]) -> None:
            raise RuntimeError("can't start new thread")

    exchange = place.hold(Unheld())

    assert exchange.hold.calls == ["cancel"]
    assert not place.reception.open
    assert "cannot be held" in caplog.text


# The application.


def exchange_with(place: Place) -> tuple[Exchange, Answer]:
    place.connection.feed(LIVEZ)
    place.connection.begin_request()
    request = next(place.connection.parser)
    return Exchange(request, {}), Answer(request, place.connection.sock, Config())


def test_the_error_of_a_middleware_is_sent_instead_of_waiting(place: Place) -> None:
    hold = Held(is_stream=True)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ[HOLDS].append(hold)
        start_response("500 Internal Server Error", [("Content-Length", "4")])
        return [b"oops"]

    exchange, answer = exchange_with(place)
    exchange.begin(application, answer)

    assert exchange.hold is None
    assert hold.calls == ["cancel"]
    assert place.client.recv(1000).endswith(b"\r\n\r\noops")


@pytest.mark.parametrize("fails", ["application", "body", "close"])
def test_an_error_while_it_begins_gives_the_place_back(place: Place, fails: str) -> None:
    hold = Held(is_stream=True)

    def fail(*_: Any) -> Any:
        raise SystemExit

    def succeed(*_: Any) -> Any:
        pass

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        environ[HOLDS].append(hold)
        start_response("200 OK", [])
        if fails == "application":
            fail()
        parts = map(fail, [1]) if fails == "body" else iter([b"part"])
        close = fail if fails == "close" else succeed
        return type("Body", (), {"__iter__": lambda _: parts, "close": close})()

    exchange, answer = exchange_with(place)
    with pytest.raises(SystemExit):
        exchange.begin(application, answer)

    assert hold.calls == ["cancel"]


def test_an_error_in_the_middle_of_a_stream_gives_the_place_back(place: Place) -> None:
    exchange, answer = exchange_with(place)
    exchange.hold = hold = Held(is_stream=True)

    with pytest.raises(ValueError, match="broken"):
        exchange.proceed(lambda *_: [], answer)

    assert exchange.hold is None
    assert hold.calls == ["cancel"]


def test_the_second_call_has_the_hold_and_no_body(place: Place) -> None:
    calls: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        calls.append(dict(environ))
        if HELD not in environ:
            environ[HOLDS].append(Held())
        start_response("200 OK", [("Content-Length", "0")])
        return []

    exchange, answer = exchange_with(place)
    exchange.environ |= {
        "wsgi.input": SimpleNamespace(),
        "CONTENT_LENGTH": "7",
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    exchange.begin(application, answer)
    assert exchange.hold is not None
    exchange.proceed(application, Answer(exchange.request, place.connection.sock, Config()))

    first, second = calls
    assert first["CONTENT_LENGTH"] == "7"
    assert second["CONTENT_LENGTH"] == "0"
    assert second["wsgi.input"].read() == b""
    assert second.keys().isdisjoint({HOLDS, "HTTP_TRANSFER_ENCODING"})
    assert place.client.recv(1000).count(b"HTTP/1.1 200 OK") == 1
