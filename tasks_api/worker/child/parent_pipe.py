"""
The pipe whose other end the parent holds.

Its bytes are `messages`. The end of the pipe tells the child that the parent is gone: the child ends as
well, for nobody would write its heartbeats.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import NoReturn

from tasks_api.backends.database.failures import DATABASE_ERRORS
from tasks_api.worker import messages
from tasks_api.worker.announcing import send_task_finished_of
from tasks_api.worker.exit_status import REPLACE
from tasks_api.worker.lost import Loss, end_lost_worker

logger = logging.getLogger("tasks_api.worker")

END_TASK_SECONDS = 5.0


def wait_until_registered(pipe: int) -> bool:
    """Wait until the parent has written this worker's row; False when it is gone or stops."""
    return os.read(pipe, 1) == messages.REGISTERED


def obey_parent(
    pipe: int, alias: str, worker_id: str, receivers: Mapping[bytes, Callable[[], None]]
) -> None:
    """Read the pipe from a thread: call the message's receiver, end the process when the pipe closes."""
    threading.Thread(target=_read, args=(pipe, alias, worker_id, receivers), daemon=True).start()


def _read(
    pipe: int, alias: str, worker_id: str, receivers: Mapping[bytes, Callable[[], None]]
) -> NoReturn:
    while message := os.read(pipe, 1):
        receivers[message]()
    logger.error("Worker %s ends at once: its parent process is gone", worker_id)
    # The database may hang. Other workers then find the row in their own time.
    ending = threading.Thread(target=_end_own_task, args=(alias, worker_id), daemon=True)
    ending.start()
    ending.join(END_TASK_SECONDS)
    if os.getpgrp() == os.getpid():
        # With what tasks have started, which would otherwise go on.
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(REPLACE)


def _end_own_task(alias: str, worker_id: str) -> None:
    loss = Loss("its parent process is gone")
    try:
        end_lost_worker(alias, worker_id, loss, announce=send_task_finished_of)
    except DATABASE_ERRORS as error:
        logger.error(
            "Worker %s could not end its task, which another worker will do: %s", worker_id, error
        )
