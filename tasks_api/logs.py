"""Logs that say which request they belong to."""

import logging
from contextvars import ContextVar
from typing import ClassVar

current_request_id: ContextVar[str] = ContextVar("tasks_api_request_id", default="-")


class RequestIDFilter(logging.Filter):
    """Gives each record `request_id`: the id of the request being served, else `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class RecordFormatter(logging.Formatter):
    """Begins a record, and nothing else, at the start of a line: what clients send forges none."""

    # Control characters move a terminal's cursor, and some of them end lines.
    _ESCAPES: ClassVar[dict[int, str]] = {
        **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
        **{code: f"\\u{code:04x}" for code in (0x2028, 0x2029)},
        ord("\t"): "\t",
        ord("\n"): "\n    ",
    }

    def format(self, record: logging.LogRecord) -> str:
        """Indent all lines but the first, and spell control characters as escapes."""
        return super().format(record).rstrip("\n").translate(self._ESCAPES)
