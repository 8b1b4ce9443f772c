"""Lines of the log, from many threads, to files and to other streams."""

import io
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tasks_api.logs import LineHandler, RecordFormatter

LINES, THREADS = 200, 8


def logger_to(stream: Any) -> logging.Logger:
    handler = LineHandler(stream)
    handler.setFormatter(RecordFormatter("{threadName} {message}", style="{"))
    logger = logging.Logger("test", logging.INFO)  # noqa: LOG001 -- no part of the tree
    logger.addHandler(handler)
    return logger


def test_lines_of_threads_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("a") as stream, ThreadPoolExecutor(THREADS) as threads:
        logger = logger_to(stream)
        texts = [f"{number} " + "é" * 500 for number in range(LINES * THREADS)]
        list(threads.map(logger.info, texts))

    lines = [line.partition(" ")[2] for line in path.read_text().splitlines()]
    assert sorted(lines) == sorted(texts)


def test_a_pipe_gets_a_long_record_as_a_whole() -> None:
    reader, writer = os.pipe()
    with (
        os.fdopen(writer, "w") as stream,
        os.fdopen(reader, "rb") as read,
        ThreadPoolExecutor() as threads,
    ):
        received = threads.submit(read.read)
        logger_to(stream).info("x" * 300_000)
        stream.close()

        assert received.result(30).count(b"x") == 300_000


def test_a_stream_without_a_file_is_written_to() -> None:
    stream = io.StringIO()
    logger_to(stream).info("here")

    assert stream.getvalue().endswith(" here\n")
