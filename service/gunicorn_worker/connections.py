"""Connections of the threaded worker: a client's bytes until they are a request, and limited waiting."""

import errno
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from gunicorn.config import Config
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn

from service.gunicorn_worker import limits
from service.gunicorn_worker.chunks import ChunkedBody
from service.gunicorn_worker.exchanges import Exchange
from service.gunicorn_worker.heads import Head, check_framing

READ_BYTES = 16 * 1024


class ClientSocket(socket.socket):
    """A blocking socket that waits for its client only as long as there is patience."""

    patience = 0.0
    """In seconds; without any, nothing waits."""
    is_broken = False
    """Whether the client was too slow, so that no request can follow on this connection."""

    def receive_now(self) -> bytes | None:
        """Return what has arrived, `b""` at the client's end, None if nothing has."""
        try:
            return super().recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def send_now(self, data: bytes) -> None:
        """Send what can be sent without waiting."""
        # Whatever happens, the connection is about to be closed.
        with suppress(OSError):
            super().send(data, socket.MSG_DONTWAIT)

    def has_hung_up(self) -> bool:
        """Whether the client has closed its side, whatever it has sent before."""
        poll = select.poll()
        poll.register(self, select.POLLRDHUP)
        return bool(poll.poll(0))

    def is_gone(self) -> bool:
        """Whether nobody would get what is sent: the connection was reset."""
        poll = select.poll()
        poll.register(self, 0)
        return bool(poll.poll(0))

    def is_writable(self) -> bool:
        """Whether there is room for bytes, which is so until a client reads too slowly."""
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        return bool(poll.poll(0))

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        return self._transfer(super().recv, bufsize, flags, len)

    def send(self, data: Any, flags: int = 0) -> int:
        return self._transfer(super().send, data, flags, int)

    def sendall(self, data: Any, flags: int = 0) -> None:
        sent = self.send(data)
        if sent < len(data):
            rest = memoryview(data)[sent:]
            while rest:
                rest = rest[self.send(rest) :]

    def _transfer[Given, Taken](
        self,
        transfer: Callable[[Given, int], Taken],
        given: Given,
        flags: int,
        size: Callable[[Taken], int],
    ) -> Taken:
        waited = 0.0
        try:
            taken = transfer(given, flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            started = time.monotonic()
            taken = self._wait_for(partial(transfer, given, flags))
            waited = time.monotonic() - started
        # What is transferred at once counts as well: clients send in bursts.
        waited -= size(taken) / limits.LEAST_BYTES_PER_SECOND
        self.patience = min(self.patience - waited, limits.PATIENCE_SECONDS)
        return taken

    def _wait_for[Taken](self, transfer: Callable[[], Taken]) -> Taken:
        if self.patience <= 0:
            self._give_up()
        self.settimeout(self.patience)
        try:
            return transfer()
        except TimeoutError:
            self._give_up()
        finally:
            self.settimeout(None)

    def _give_up(self) -> NoReturn:
        self.is_broken = True
        # As if the client had gone: gunicorn closes the connection and is silent about it.
        raise ConnectionResetError(errno.ECONNRESET, "The client is too slow.")


class ChunkedReader:
    """Takes the place of gunicorn's class of this name, and reads with `ChunkedBody`."""

    def __init__(self, unreader: Unreader) -> None:
        self.body = ChunkedBody()
        self._unreader = unreader
        self._content = b""

    def read(self, size: int) -> bytes:
        while not self._content and not self.body.is_complete:
            data = self._unreader.read()
            if not data:
                raise NoMoreData
            self._content = self.body.feed(data)
            if self.body.is_complete:
                self._unreader.unread(self.body.rest)
        content, self._content = self._content[:size], self._content[size:]
        return content


class StrictRequest(Request):
    """A request whose end is beyond doubt."""

    body: Any
    version: Any

    def set_body_reader(self) -> None:
        check_framing(self.headers, self.version)
        super().set_body_reader()
        if ("TRANSFER-ENCODING", "chunked") in [(n, v.lower()) for n, v in self.headers]:
            reader: Any = ChunkedReader(self.unreader)
            self.body = Body(reader)

    def should_close(self) -> bool:
        return super().should_close() or self.unread is None

    @property
    def unread(self) -> int | None:
        """How much of the body is to be skipped before the next request; None if it cannot be."""
        reader = self.body.reader
        if isinstance(reader, LengthReader):
            return reader.length if reader.length <= limits.MAX_UNREAD_BYTES else None
        return 0 if reader.body.is_complete else None


class StrictParser(RequestParser):
    mesg_class = StrictRequest


class Connection(TConn):
    """A client's connection; between requests, the thread that has it never waits for it."""

    sock: ClientSocket
    parser: Any

    def __init__(self, cfg: Config, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        # gunicorn would do both in a thread, after it has waited for the first bytes there.
        self.parser = StrictParser(cfg, sock, client)
        self.initialized = self.data_ready = True
        self.head = Head()
        self.asks_for_liveness = self.needs_patience = False
        self.to_skip = 0
        self.file = sock.fileno()
        self.since = self.deadline = 0.0
        """From when, and until when, it waits as it does now."""
        self.is_lined_up = False
        """Whether it waits for a thread, not for its client."""
        self.exchange: Exchange | None = None
        """The request that is held, if one is."""
        self.is_extra = False
        """Whether it was accepted beyond the limit, when none could be closed."""
        self.is_closing = False
        """Whether everything is sent and the rest of what the client sends is only discarded."""

    def wait_for(self, seconds: float) -> None:
        """Begin to wait for something else."""
        self.since = time.monotonic()
        self.deadline = self.since + seconds

    def feed(self, data: bytes) -> None:
        """Take bytes from the client; raises what `Head.feed` raises."""
        if self.to_skip:
            data, skipped = data[self.to_skip :], min(len(data), self.to_skip)
            self.to_skip -= skipped
        if data:
            self.head.feed(data)

    @property
    def has_head(self) -> bool:
        return self.head.end > 0

    @property
    def may_be_complete_soon(self) -> bool:
        """Whether the rest of a short body is worth waiting for, before a thread has the request."""
        if self.head.asks_for_liveness:
            return False
        return 0 < (self.head.missing or 0) <= limits.MAX_AWAITED_BYTES

    def begin_request(self) -> None:
        """Hand the bytes of a complete head, and what follows them, to the parser."""
        self.is_lined_up = False
        self.asks_for_liveness = self.head.asks_for_liveness
        self.needs_patience = self.head.missing != 0 and not self.asks_for_liveness
        # The thread that answers health checks waits for nobody.
        self.sock.patience = 0.0 if self.asks_for_liveness else limits.PATIENCE_SECONDS
        self.parser.unreader.unread(self.head.take())

    def continue_request(self) -> None:
        """Begin to send what a request has waited for."""
        self.is_lined_up = False
        self.sock.patience = limits.PATIENCE_SECONDS

    def end_request(self) -> bytes:
        """Return what was read beyond the request that is answered; begin with the next one."""
        self.to_skip = self.parser.mesg.unread or 0
        # Otherwise the parser would wait for the rest of the body.
        self.parser.mesg = None
        ahead: bytes = self.parser.unreader.take_buffered()
        return ahead

    @property
    def is_idle(self) -> bool:
        return not self.head.received
