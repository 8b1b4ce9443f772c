"""Answers of the threaded worker: gunicorn's, in fewer packets."""

import time

from gunicorn import util
from gunicorn.http.wsgi import Response

MAX_JOINED_BYTES = 64 * 1024
"""How long the first piece of a body may be to be sent together with the head."""

_date = (0, "")


def _http_date() -> str:
    """Return the value of `Date`, formatted once for each second."""
    global _date  # noqa: PLW0603 -- one tuple, so that threads see both or none
    second = int(time.time())
    latest, text = _date
    if latest != second:
        text = util.http_date(second)
        _date = (second, text)
    return text


class Answer(Response):
    """
    gunicorn's response, except that the head is sent with the first piece of the body.

    gunicorn sends the two apart, and each call of the system lets another thread go first.
    """

    _head = b""

    def send_headers(self) -> None:
        if self.headers_sent:
            return
        fields = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        self._head = f"{''.join(self.default_headers())}{fields}\r\n".encode("latin-1")
        self.headers_sent = True

    def default_headers(self) -> list[str]:
        connection = "close" if self.should_close() else "keep-alive"
        major, minor = self.req.version or (1, 1)
        framing = "Transfer-Encoding: chunked\r\n" if self.chunked else ""
        return [
            f"HTTP/{major}.{minor} {self.status}\r\nServer: {self.version}\r\n"
            f"Date: {_http_date()}\r\nConnection: {connection}\r\n{framing}"
        ]

    def _emit_body(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if self.chunked:
            data = b"%X\r\n%b\r\n" % (len(data), data)
        if len(data) > MAX_JOINED_BYTES:
            self.sock.sendall(head)
            head = b""
        self.sock.sendall(head + data if head else data)

    def close(self) -> None:
        self.send_headers()
        if self._head or self.chunked:
            # The chunk of no bytes, which is the last one, or the head of an answer without a body.
            self._emit_body(b"")
