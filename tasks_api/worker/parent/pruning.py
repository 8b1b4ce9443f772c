"""The chore that removes old tasks and what belongs to them, for all workers of a database."""

import logging

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.retention.pruning import prune
from tasks_api.worker.parent.chores import Chore, Rest

logger = logging.getLogger("tasks_api.worker")


ANSWER_SECONDS = 600.0
"""Longer than the search for what has expired takes in a large table without our indexes."""


def _prune(alias: str, rest: Rest) -> None:
    with database_answers_within(ANSWER_SECONDS):
        removed = prune(rest)
    for name, number in removed.items():
        if number:
            logger.info("Removed %s: %d", name, number)


PRUNE = Chore(name="prune", every=3600, work=_prune, one_worker_of_all=True)
