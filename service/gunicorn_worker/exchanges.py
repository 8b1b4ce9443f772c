"""A request and its answer, which may be held meanwhile; `tasks_api.http.protocol.holding` says how."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from service.gunicorn_worker.answers import Answer
from tasks_api.http.protocol.holding import HELD, HOLDS
from tasks_api.logs import current_request_id

type Application = Callable[[dict[str, Any], Any], Any]


class Exchange:
    """
    A request that is being answered.

    Attributes:
        hold: what it waits for, if it is held.
        is_due: whether the wait is over.
        request_id: the id of the request in the log.

    """

    answer: Answer

    def __init__(self, request: Any, environ: dict[str, Any]) -> None:
        self.request = request
        self.environ = environ
        self.hold: Any = None
        self.is_due = False
        self.request_id = "-"
        self._started = time.monotonic()

    @property
    def duration(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._started)

    def begin(self, application: Application, answer: Answer) -> None:
        """Send the answer, or hold the request."""
        holds: list[Any] = []
        self.environ[HOLDS] = holds
        self._send(application, answer, holds)
        self.request_id = current_request_id.get()

    def proceed(self, application: Application, answer: Answer) -> None:
        """Send the answer for which the request has waited, or the next part of a stream."""
        hold, self.hold, self.is_due = self.hold, None, False
        current_request_id.set(self.request_id)
        if hold.is_stream:
            with _cancelled_on_error([hold]):
                # The answer has begun already.
                content, is_last = hold.following()
                self.answer.write(content)
                if is_last:
                    self.answer.close()
                else:
                    self.hold = hold
            return
        # The body was read before.
        self.environ |= {HELD: hold, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        for name in (HOLDS, "HTTP_TRANSFER_ENCODING"):
            self.environ.pop(name, None)
        self._send(application, answer, [])

    def _send(self, application: Application, answer: Answer, holds: list[Any]) -> None:
        self.answer = answer
        with _cancelled_on_error(holds):
            body = application(self.environ, answer.start_response)
            try:
                hold = _hold_for(answer, holds)
                if hold is None or hold.is_stream:
                    for piece in body:
                        answer.write(piece)
                if hold is None:
                    answer.close()
            finally:
                if hasattr(body, "close"):
                    body.close()
        self.hold = hold


def _hold_for(answer: Answer, holds: list[Any]) -> Any:
    """Return what the answer is held for, unless a middleware has failed since the view has answered."""
    if holds and (answer.status_code or 0) >= HTTPStatus.BAD_REQUEST:
        _cancel(holds)
        return None
    return holds[0] if holds else None


@contextmanager
def _cancelled_on_error(holds: list[Any]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _cancel(holds)
        raise


def _cancel(holds: list[Any]) -> None:
    for hold in holds:
        hold.cancel()
