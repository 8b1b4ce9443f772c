"""Log records with the id of their request."""

import logging
import time
from contextvars import ContextVar
from typing import ClassVar

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
