"""Chunked bodies (RFC 9112, section 7.1), read in linear time and with bounds; trailers are dropped."""

import re

from gunicorn.http.message import RFC9110_6_5_1_FORBIDDEN_TRAILER as FORBIDDEN_TRAILERS

from service.gunicorn_worker import limits
from service.gunicorn_worker.refusals import BrokenBody

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[\t ]*;[\t -~\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t -~\x80-\xff]*")
_LINE_END = b"\r\n"


class ChunkedBody:
    """Takes a chunked body as it arrives and returns its content."""

    def __init__(self) -> None:
        self.is_complete = False
        self.rest = b""
        """After the end: the bytes that follow the body."""
        self._received = b""
        self._left_in_chunk = 0
        self._follows_chunk = False
        self._trailer_bytes: int | None = None
        self._overhead = 0

    def feed(self, data: bytes) -> bytes:
        """
        Take bytes and return the content in them.

        Raises:
            BrokenBody: it is not valid, or too much of it is not content.

        """
        data = self._received + data if self._received else data
        content: list[bytes] = []
        position = 0
        while not self.is_complete:
            if self._left_in_chunk:
                part = data[position : position + self._left_in_chunk]
                if not part:
                    break
                content.append(part)
                position += len(part)
                self._left_in_chunk -= len(part)
                self._follows_chunk = not self._left_in_chunk
                continue
            end = self._end_of_line(data, position)
            if end < 0:
                break
            self._take_line(data[position:end])
            position = end + len(_LINE_END)
        if self.is_complete:
            self.rest = data[position:]
        self._received = b"" if self.is_complete else data[position:]
        return b"".join(content)

    def _end_of_line(self, data: bytes, position: int) -> int:
        limit = 0 if self._follows_chunk else limits.MAX_CHUNK_LINE_BYTES
        if self._trailer_bytes is not None:
            limit = limits.MAX_TRAILER_BYTES - self._trailer_bytes
        end = data.find(_LINE_END, position, position + limit + len(_LINE_END))
        if end < 0 and len(data) - position >= limit + len(_LINE_END):
            raise BrokenBody("A line of the chunked body is too long.")
        return end

    def _take_line(self, line: bytes) -> None:
        if self._follows_chunk:
            self._follows_chunk = False
        elif self._trailer_bytes is not None:
            self._take_trailer(line)
        else:
            self._take_size(line)

    def _take_size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise BrokenBody("The size of a chunk is not valid.")
        self._left_in_chunk = size = int(match[1], 16)
        if size == 0:
            self._trailer_bytes = 0
            return
        self._overhead = max(0, self._overhead + len(line) - 16 - 2 * size)
        if self._overhead > limits.MAX_CHUNK_OVERHEAD_BYTES:
            raise BrokenBody("The chunks carry too little content.")

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self.is_complete = True
            return
        match = _TRAILER.fullmatch(line)
        if match is None or match[1].decode().upper() in FORBIDDEN_TRAILERS:
            raise BrokenBody("A trailer is not valid.")
        self._trailer_bytes = (self._trailer_bytes or 0) + len(line) + len(_LINE_END)
