"""Keeps a child from outliving its parent, whose heartbeats would be missing."""

import logging
import os
import threading
from typing import NoReturn

from tasks_api.worker.connection import DATABASE_ERRORS
from tasks_api.worker.lost import bury

logger = logging.getLogger("tasks_api.worker")

LAST_WORDS_SECONDS = 5.0
ORPHANED = 1


def wait_for_go(parent: int) -> bool:
    """Wait until the parent has written this worker's row; False when the parent is gone."""
    return os.read(parent, 1) != b""


def end_with_parent(parent: int, alias: str, worker_id: str) -> None:
    """Watch the pipe whose other end the parent holds; when it closes, end at once."""
    threading.Thread(target=_watch, args=(parent, alias, worker_id), daemon=True).start()


def _watch(parent: int, alias: str, worker_id: str) -> NoReturn:
    while os.read(parent, 1):
        pass
    logger.error("Worker %s ends at once: its parent is gone", worker_id)
    # The database may hang: without our last words, others find the row in their own time.
    last_words = threading.Thread(target=_bury_self, args=(alias, worker_id), daemon=True)
    last_words.start()
    last_words.join(LAST_WORDS_SECONDS)
    os._exit(ORPHANED)


def _bury_self(alias: str, worker_id: str) -> None:
    try:
        bury(alias, worker_id, "its parent process is gone")
    except DATABASE_ERRORS as error:
        logger.error("Worker %s could not end its task: %s", worker_id, error)
