"""Log records with the id of their request."""

import logging
import os
import time
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any, ClassVar

current_request_id: ContextVar[str] = ContextVar("tasks_api_request_id", default="-")


class RequestIDFilter(logging.Filter):
    """Adds `request_id` to each record: the id of the current request, or `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class RecordFormatter(logging.Formatter):
    """Starts only records at the start of a line, so that clients' input cannot forge records."""

    # Control characters move a terminal's cursor, and some of them end lines.
    _ESCAPES: ClassVar[dict[int, str]] = {
        **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
        **{code: f"\\u{code:04x}" for code in (0x2028, 0x2029)},
        ord("\t"): "\t",
        ord("\n"): "\n    ",
    }
    _latest_second: tuple[int, str] = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """Indent all lines but the first, and write control characters as escapes."""
        text = super().format(record).rstrip("\n")
        # Nothing that is escaped is printable; to look for each character takes ten times as long.
        return text if text.isprintable() else text.translate(self._ESCAPES)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Format the seconds once for all records of a second."""
        if datefmt is not None:
            return super().formatTime(record, datefmt)
        second = int(record.created)
        latest, text = self._latest_second
        if second != latest:
            text = time.strftime(self.default_time_format, self.converter(second))
            self._latest_second = second, text
        return f"{text},{int(record.msecs):03}"


class LineHandler(logging.StreamHandler[Any]):
    """
    Writes each record to the file behind its stream by one call of the system.

    Threads do not wait for one another's lines: a lock that is held while the interpreter runs another
    thread costs more than the line.
    """

    def __init__(self, stream: Any = None) -> None:
        super().__init__(stream)
        try:
            self.stream.fileno()
            self._has_file = True
        except (AttributeError, OSError):
            # A stream in memory.
            self._has_file = False

    def handle(self, record: logging.LogRecord) -> Any:
        passed = self.filter(record)
        if passed:
            self.emit(record if passed is True else passed)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        if not self._has_file:
            with self.lock or nullcontext():
                super().emit(record)
            return
        try:
            text = self.format(record) + self.terminator
            data = text.encode(self.stream.encoding or "utf-8", "backslashreplace")
            while data:
                data = data[os.write(self.stream.fileno(), data) :]
        except Exception:  # noqa: BLE001, RUF100 -- as handlers do
            self.handleError(record)
