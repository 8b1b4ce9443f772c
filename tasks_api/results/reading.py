"""Reading tasks that are known by their ids, wherever they are stored."""

from collections.abc import Iterator, Sequence
from heapq import merge

from tasks_api.backends import Adapter, StoredTask, adapters
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import readable
from tasks_api.problems import NotFound, ResultsNotSupported


def read(identifier: str, caller: Caller) -> StoredTask:
    """Return the task of this id, in whatever state; `find` says what is raised."""
    return find(identifier, caller)[1]


def find(identifier: str, caller: Caller) -> tuple[Adapter, StoredTask]:
    """
    Return the task of this id and the adapter of the backend that has it.

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
            return adapter, task
    if not keepers or any(
        adapter.draws(identifier) for adapter in every if not adapter.keeps_results
    ):
        raise ResultsNotSupported
    raise NotFound("There is no task of this id.")


def read_several(identifiers: Sequence[str], caller: Caller) -> Iterator[StoredTask]:
    """Read those of these tasks that exist and that a client may read, in this order, few at a time."""
    place = {identifier: number for number, identifier in enumerate(identifiers)}
    keepers = (adapter for adapter in adapters() if adapter.keeps_results)
    found = (adapter.pick(readable(caller, adapter, identifiers)) for adapter in keepers)
    return merge(*found, key=lambda task: place[task.id])
