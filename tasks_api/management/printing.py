"""Commands that print: whoever reads their output may stop reading, as `head` does."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from django.core.management.base import BaseCommand

ENDED_BY_SIGPIPE = 128 + 13
"""The status that a shell reports for programs that the signal ends."""


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Exit without a traceback if the reader of standard output or of errors has gone."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        gone = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
        if not gone:
            # It is another connection that broke.
            raise
        for stream in gone:
            # For what Python flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(ENDED_BY_SIGPIPE)


class PrintingCommand(BaseCommand):
    """A command whose output may be piped into `head`."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        with until_nobody_reads():
            return super().execute(*args, **options)


def _has_no_reader(stream: TextIO) -> bool:
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False
