"""
The heads of requests, checked before gunicorn's parsers see them.

gunicorn's two parsers accept different things that RFC 9112 forbids; the one in C, for example, accepts
bare line feeds, folded lines and double spaces. Here one expression says what is accepted.
"""

import re
from http import HTTPStatus

from service.gunicorn_worker import limits
from service.gunicorn_worker.refusals import Refused, malformed

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# RFC 9112, sections 3 and 5; bytes above ASCII are accepted in targets, because clients send them.
_HEAD = re.compile(
    _TOKEN + rb" [!-~\x80-\xff]++ HTTP/1\.[01]\r\n"
    rb"(?:" + _TOKEN + rb":[\t -~\x80-\xff]*+\r\n)*+\r\n"
)
_END = b"\r\n\r\n"
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile("[0-9]{1,18}")
_LENGTH_LINE = re.compile(rb"\ncontent-length:[\t ]*([0-9]{1,18})[\t ]*\r", re.IGNORECASE)
_NOT_MEASURED = re.compile(rb"\n(?:transfer-encoding|expect):", re.IGNORECASE)
_LIVENESS = re.compile(rb"(?:GET|HEAD) /livez[ ?]")


class Head:
    """The head of the next request of a connection, as its bytes arrive."""

    def __init__(self) -> None:
        self.received = bytearray()
        """Everything so far, including what follows the head."""
        self.end = 0
        """Where the head ends, once it is complete."""

    def feed(self, data: bytes) -> bool:
        """
        Take bytes and return whether the head is complete.

        Raises:
            Refused: it is not valid, whether it is complete or not.

        """
        searched = max(len(self.received) - len(_END) + 1, 0)
        self.received += data
        if self.end:
            return True
        found = self.received.find(_END, searched)
        end = found + len(_END) if found >= 0 else len(self.received)
        if end > limits.MAX_HEAD_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise Refused(f"The head is larger than {limits.MAX_HEAD_BYTES} bytes.", status)
        if found >= 0:
            if _HEAD.fullmatch(self.received, 0, end) is None:
                raise malformed()
            self.end = end
            return True
        # What can never become valid is refused now, for example a TLS handshake.
        if not b" " < self.received[:1] < b"\x7f" or _BARE_LF.search(self.received, searched):
            raise malformed()
        return False

    @property
    def missing(self) -> int | None:
        """How much of the body has not arrived; None if nobody knows, or the client waits to be asked."""
        if _NOT_MEASURED.search(self.received, 0, self.end):
            return None
        length = _LENGTH_LINE.search(self.received, 0, self.end)
        return max(self.end + int(length[1]) - len(self.received), 0) if length else 0

    def take(self) -> bytes:
        """Return the head with what follows it, and begin with the next one."""
        received = bytes(self.received)
        self.received.clear()
        self.end = 0
        return received

    @property
    def asks_for_liveness(self) -> bool:
        return _LIVENESS.match(self.received) is not None


def check_framing(headers: list[tuple[str, str]], version: tuple[int, int]) -> None:
    """
    Check the headers that say where a request ends and which host it is for; names are in upper case.

    Raises:
        Refused: HTTP/1.1 without `Host`, a `Transfer-Encoding` other than `chunked`, or a length that is none.

    """
    if version >= (1, 1) and not any(name == "HOST" for name, _ in headers):
        raise Refused("Host is missing, which HTTP/1.1 requires.")
    for name, value in headers:
        if name == "TRANSFER-ENCODING" and value.lower() != "chunked":
            raise Refused("The only Transfer-Encoding that is understood is chunked.")
        if name == "CONTENT-LENGTH" and not _LENGTH.fullmatch(value):
            raise Refused("Content-Length should be a number.")
