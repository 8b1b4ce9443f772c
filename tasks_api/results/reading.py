"""Reading one task, wherever it is stored."""

from tasks_api.backends import StoredTask, adapters
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import readable
from tasks_api.problems import NotFound, ResultsNotSupported


def read(identifier: str, caller: Caller) -> StoredTask:
    """
    Return the task of this id, in whatever state.

    Raises:
        NotFound: 404, no store has such a task, or it is another client's; a malformed id is no
            task's either.
        ResultsNotSupported: 501, no backend keeps results, or one that does not may have given out
            such an id.

    """
    every = list(adapters())
    keepers = [adapter for adapter in every if adapter.keeps_results]
    for adapter in keepers:
        # Whose it is comes first: for ids that say so, another's costs no query.
        if readable(caller, adapter, [identifier]) and (task := adapter.get(identifier)):
            return task
    if not keepers or any(
        adapter.draws(identifier) for adapter in every if not adapter.keeps_results
    ):
        raise ResultsNotSupported
    raise NotFound("There is no task of this id.")
