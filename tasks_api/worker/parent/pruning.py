"""The chore that removes old tasks and what belongs to them, for all workers of a database."""

import logging

from tasks_api.retention.pruning import prune
from tasks_api.worker.parent.chores import Chore, Rest

logger = logging.getLogger("tasks_api.worker")


def _prune(alias: str, rest: Rest) -> None:
    for name, number in prune(rest).items():
        if number:
            logger.info("Removed %s: %d", name, number)


PRUNE = Chore(name="prune", every=3600, work=_prune, one_worker_of_all=True)
