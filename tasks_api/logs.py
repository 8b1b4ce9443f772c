"""Log records with the id of their request."""

import logging
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

    def format(self, record: logging.LogRecord) -> str:
        """Indent all lines but the first, and write control characters as escapes."""
        return super().format(record).rstrip("\n").translate(self._ESCAPES)
