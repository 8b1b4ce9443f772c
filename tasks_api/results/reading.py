"""Reading tasks by their ids from all stores."""

from collections.abc import Iterator, Sequence
from heapq import merge

from tasks_api.backends import Adapter, StoredTask, adapters
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import readable
from tasks_api.ids import canonical_id
from tasks_api.problems import NotFound, ResultsNotSupported


def read(identifier: str, caller: Caller) -> StoredTask:
    """Return the task with this id; raises what `find` raises."""
    return find(identifier, caller)[1]


def find(identifier: str, caller: Caller) -> tuple[Adapter, StoredTask]:
    """
    Return the task with this id, a UUID in any case, and the adapter of its backend.

    Raises:
        NotFound: 404, no store has the task, it is another client's, or the id is malformed.
        ResultsNotSupported: 501, no backend keeps results, or a backend that does not may have issued
            the id.

    """
    every = adapters()
    keepers = [adapter for adapter in every if adapter.keeps_results]
    # A backend may have ids of its own that look like UUIDs in upper case.
    for form in dict.fromkeys((canonical_id(identifier), identifier)):
        for adapter in keepers:
            # The owner is checked first: if the id contains it, another client's id costs no query.
            if readable(caller, adapter, [form]) and (task := adapter.get(form)):
                return adapter, task
    if not keepers or any(
        adapter.may_have_issued(identifier) for adapter in every if not adapter.keeps_results
    ):
        raise ResultsNotSupported
    raise NotFound("There is no task with this id.")


def read_several(identifiers: Sequence[str], caller: Caller) -> Iterator[StoredTask]:
    """Read these tasks, as far as they exist and the client may read them, in this order."""
    place = {identifier: number for number, identifier in enumerate(identifiers)}
    keepers = (adapter for adapter in adapters() if adapter.keeps_results)
    found = (adapter.pick(readable(caller, adapter, identifiers)) for adapter in keepers)
    return merge(*found, key=lambda task: place[task.id])
