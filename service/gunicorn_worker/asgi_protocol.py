"""The connections of the worker for ASGI."""

import contextlib
import time
from contextvars import Context
from http import HTTPStatus
from itertools import chain
from typing import Any

from django.conf import settings
from gunicorn.asgi.parser import ParseError
from gunicorn.asgi.protocol import ASGIProtocol, _check_trusted_proxy

from service.gunicorn_worker import limits, refusals
from service.gunicorn_worker.chunks import ChunkedBody
from service.gunicorn_worker.heads import Head, check_framing
from service.gunicorn_worker.refusals import BrokenBody, Refused
from tasks_api.conf import tasks_api_settings
from tasks_api.http.protocol.holding import HELD

_LATE_BODY = "The body did not arrive in time."


class Protocol(ASGIProtocol):
    """
    A client's connection: gunicorn's, except for where requests begin and end.

    The head is checked before gunicorn's parser sees it, and the parser sees nothing else: bodies go from here
    to the application. Requests that are sent without waiting for answers are served one after the other;
    gunicorn would forget all but the first.
    """

    transport: Any
    worker: Any
    _current_request: Any
    _body_receiver: Any

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self._head = Head()
        self._is_served = self._is_answered = self._has_ended = False
        self._chunks: ChunkedBody | None = None
        self._left_in_body = self._content_bytes = 0
        self._ahead = b""
        self._scope: dict[str, Any] = {}
        self._deadline = time.monotonic() + limits.HEAD_SECONDS
        self._patience: float = limits.PATIENCE_SECONDS
        self._checked_at = time.monotonic()
        self._received = self._written = self._transferred = 0

    @classmethod
    def _check_h1c_protocol_available(cls) -> bool:
        # gunicorn keeps what it finds in the class that it asks, and looks for it in its own.
        available: bool = ASGIProtocol._check_h1c_protocol_available()
        return available

    # The connection.

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        connections = self.worker.connections
        if len(connections) >= self.cfg.worker_connections:
            waiting = (each for each in connections if each._closed or not each._is_served)
            without_body = (each for each in connections if each._misses_body)
            next(chain(waiting, without_body), self).abort()
        if not self._closed:
            connections[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.connections.pop(self, None)
        super().connection_lost(exc)

    def abort(self) -> None:
        self._closed = True
        # At once: several connections can be made before this one is lost.
        self.worker.connections.pop(self, None)
        self.transport.abort()

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun."""
        return not (self._is_served or self._head.received or self._closed)

    def _close_transport(self) -> None:
        """Close the connection once the client has got the answer, or soon."""
        if self._closed or self.transport is None:
            return
        self._closed = True
        self._deadline = time.monotonic() + limits.LINGER_SECONDS
        if self._has_ended:
            # Nothing can follow that is to be discarded.
            self.transport.close()
            return
        with contextlib.suppress(OSError, RuntimeError):
            self.transport.write_eof()
        self._resume_reading()

    def eof_received(self) -> bool:
        """Keep the connection until what the client has asked for is answered."""
        if self._closed or self.is_idle:
            return False
        self._has_ended = True
        if self._misses_body:
            self._refuse(Refused("The body ends too early."))
        elif self._is_served:
            if not self._ahead:
                self._current_request.must_close = True
            self._end_wait()
        else:
            self._refuse(Refused("The head of the request has no end."))
        return True

    def _end_wait(self) -> None:
        # A client that hangs up does not wait any more; it is answered, for it may have nothing more to say.
        if self._scope.get(HELD) is not None:
            self._body_receiver.signal_disconnect()

    def check_deadlines(self) -> None:
        """Refuse or disconnect a client that is too slow; called about twice a second."""
        if self._has_ended:
            # It may have hung up before the wait began.
            self._end_wait()
        now = time.monotonic()
        unsent: int = self.transport.get_write_buffer_size()
        if unsent or self._misses_body:
            transferred = self._received + self._written - unsent
            credit = (transferred - self._transferred) / limits.LEAST_BYTES_PER_SECOND
            self._patience -= now - self._checked_at - credit
            self._patience = min(self._patience, limits.PATIENCE_SECONDS)
            self._transferred = transferred
        self._checked_at = now
        if unsent:
            if self._patience < 0:
                self.abort()
        elif self._is_served and not self._closed:
            if self._misses_body and self._patience < 0:
                self._refuse(Refused(_LATE_BODY, HTTPStatus.REQUEST_TIMEOUT))
        elif self._deadline <= now:
            if self._closed or self.is_idle:
                self.abort()
            else:
                late = "The head did not arrive in time."
                self._refuse(Refused(late, HTTPStatus.REQUEST_TIMEOUT))

    # The bytes of requests.

    def data_received(self, data: bytes) -> None:
        try:
            while data and not self._closed:
                data = self._take(data)
        except Refused as refused:
            self._refuse(refused)
        except BrokenBody:
            self._refuse(Refused("The chunked body is not valid."))

    def _take(self, data: bytes) -> bytes:
        """Take some of the bytes and return the others."""
        if self._misses_body:
            return self._take_body(data)
        if self._is_served:
            self._ahead += data
            if len(self._ahead) > limits.MAX_UNREAD_BYTES:
                self._pause_reading()
            return b""
        was_idle = self.is_idle
        if self._head.feed(data):
            return self._begin_request()
        if was_idle:
            self._deadline = time.monotonic() + limits.HEAD_SECONDS
        return b""

    @property
    def _misses_body(self) -> bool:
        return self._chunks is not None or self._left_in_body > 0

    def _take_body(self, data: bytes) -> bytes:
        self._received += len(data)
        if self._chunks is None:
            content, rest = data[: self._left_in_body], data[self._left_in_body :]
            self._left_in_body -= len(content)
        else:
            content = self._chunks.feed(data)
            rest = self._chunks.rest
            if self._chunks.is_complete:
                self._chunks = None
            self._content_bytes += len(content)
            self._check_length(self._content_bytes)
        # The body of a HEAD request is complete for the application from the beginning.
        if not self._body_receiver._complete:
            self._on_body(content)
            if not self._misses_body:
                self._on_message_complete()
        return rest

    def _begin_request(self) -> bytes:
        received = self._head.take()
        end = received.index(b"\r\n\r\n") + 4
        self._is_served = True
        self._scope = {}
        self._patience = limits.PATIENCE_SECONDS
        try:
            self._callback_parser.feed(received[:end])
        except (ParseError, ValueError) as error:
            # The parser in C has classes of its own, all of which are a ValueError.
            raise refusals.refusal_of_parser(error) from None
        request = self._current_request
        if request.chunked:
            self._chunks, self._content_bytes = ChunkedBody(), 0
        else:
            self._check_length(request.content_length)
            self._left_in_body = request.content_length
        return received[end:]

    def _check_length(self, length: int) -> None:
        # Django reads a body to its end before it asks who has sent it.
        limit = max(tasks_api_settings().max_body_bytes, settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)
        if length > limit:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise Refused(f"The body is larger than {limit} bytes.", status)

    def _on_headers_complete(self) -> bool:
        skips_body: bool = super()._on_headers_complete()
        request = self._current_request
        check_framing(request.headers, request.version)
        for name, value in request.headers:
            if name == "EXPECT":
                self._meet_expectation(value)
        schemes = {value for name, value in request.headers if name in self._scheme_headers}
        if schemes == {"https"}:
            request.scheme = "https"
        return skips_body

    @property
    def _scheme_headers(self) -> dict[str, str]:
        """The headers that say the scheme; gunicorn's worker for ASGI knows none."""
        peer = self.transport.get_extra_info("peername")
        allowed, networks = self.cfg.forwarded_allow_ips, self.cfg.forwarded_allow_networks()
        trusted = not isinstance(peer, tuple) or _check_trusted_proxy(peer, allowed, networks)
        return self.cfg.secure_scheme_headers if trusted else {}

    def _meet_expectation(self, expectation: str) -> None:
        if expectation.lower() != "100-continue":
            raise Refused("The only expectation that can be met is 100-continue.", 417)
        if self._current_request.version >= (1, 1):
            self._safe_write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_websocket_upgrade(self, request: Any) -> bool:
        # Django speaks none.
        return False

    def _arm_keepalive_timer(self) -> None:
        """Begin with the next request, when the one before is answered."""
        super()._arm_keepalive_timer()
        self._is_served = self._is_answered = False
        self._deadline = time.monotonic() + self.cfg.keepalive
        if self.worker.connections.pop(self, self) is None:
            self.worker.connections[self] = None
        ahead, self._ahead = self._ahead, b""
        # Not in the context of the request before, whose id would be in the log.
        Context().run(self._go_on, ahead)

    def _go_on(self, ahead: bytes) -> None:
        self.data_received(ahead)
        if self._has_ended and not self.eof_received():
            self._close_transport()

    # The answers.

    def _refuse(self, refused: Refused) -> None:
        with refusals.identified():
            refusals.log(refused, self.transport.get_extra_info("peername"))
            if not self._is_answered:
                self._safe_write(refusals.answer(refused))
        self._close_transport()

    def _send_error_response(self, status: int, message: str) -> None:
        if self._misses_body:
            # gunicorn has stopped waiting for the body and told the application of a disconnection.
            refused = Refused(_LATE_BODY, HTTPStatus.REQUEST_TIMEOUT)
        else:
            refused = refusals.internal_error()
        with refusals.identified():
            self._safe_write(refusals.answer(refused))

    def _build_http_scope(self, request: Any, sockname: Any, peername: Any) -> dict[str, Any]:
        scope: dict[str, Any] = super()._build_http_scope(request, sockname, peername)
        self._scope = scope
        return scope

    def _send_response_start(self, status: int, headers: Any, request: Any) -> None:
        self._is_answered = True
        super()._send_response_start(status, headers, request)

    def _safe_write(self, data: bytes) -> None:
        self._written += len(data)
        super()._safe_write(data)
