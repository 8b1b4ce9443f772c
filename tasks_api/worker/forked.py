"""Ends copies of this process that a task makes with `os.fork()` and does not end with `os._exit()`."""

import logging
import os
import sys

logger = logging.getLogger("tasks_api.worker")


def end_copy_of(pid: int) -> None:
    """
    End this process at once unless it is the one with this id.

    A copy would store the verdict and claim tasks a second time, over the same database connection.
    Nothing that belongs to the original is closed here: a connection would say goodbye for both.
    Call it where the code returns to that may have forked, or where what it raised is being handled.
    """
    if os.getpid() == pid:
        return
    error = sys.exception()
    logger.warning(
        "Process %d, forked from the worker's process %d, is ended: the code that forked it returned "
        "in both processes; the new one should have called os._exit()",
        os.getpid(),
        pid,
    )
    os._exit(_status(error))


def _status(error: BaseException | None) -> int:
    """Return what the status of a process would be that ends so."""
    if error is None:
        return 0
    code = error.code if isinstance(error, SystemExit) else 1
    return code & 0xFF if isinstance(code, int) else int(code is not None)
