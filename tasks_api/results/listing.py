"""Lists of tasks, newest first: a page of an owner's, or some that are asked for by their ids."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import merge

from tasks_api.backends import Position, Selection, StoredTask, adapters
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import readable
from tasks_api.json_text import json_text
from tasks_api.problems import ListingNotSupported
from tasks_api.results.representation import represent

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""How long the JSON of a page may be; a task that is longer is a page of its own."""

# What is left for the URLs of the neighbouring pages, which repeat the request's, and of each task.
_ROOM_FOR_PAGE_URLS = 32 * 1024
_ROOM_FOR_TASK_URL = 512


@dataclass(frozen=True, slots=True)
class Page:
    """
    Tasks, newest first, and the positions that the next and the previous page start from.

    A page of filtered tasks may be short, or empty, and still have a next one.
    """

    tasks: list[StoredTask]
    next: Position | None
    previous: Position | None


def page_of(selection: Selection, start: Position | None, *, owner: int, page_size: int) -> Page:
    """
    List the tasks of an owner from a position, or from the newest one.

    Of several stores, the one that can list is asked.

    Raises:
        ListingNotSupported: 501, no store can.

    """
    adapter = next((adapter for adapter in adapters() if adapter.lists), None)
    if adapter is None:
        raise ListingNotSupported
    to_older = start is None or start.leads_to_older
    stretch = adapter.walk(selection, start, owner=owner, limit=page_size)
    tasks, is_cut = _fitting(stretch.tasks)
    reached = tasks[-1].id if is_cut else stretch.reached
    onward = None if reached is None else Position("<" if to_older else ">", reached)
    backward = None if start is None else start.turned_round
    if to_older:
        return Page(tasks, next=onward, previous=backward)
    return Page(tasks[::-1], next=backward, previous=onward)


def some_of(identifiers: Collection[str], caller: Caller) -> tuple[list[StoredTask], list[str]]:
    """
    Read those of these tasks that exist and that a client may read; the others are left out.

    The second value names those that found no room any more: to be asked for again.

    Raises:
        ListingNotSupported: 501, no backend keeps results.

    """
    keepers = [adapter for adapter in adapters() if adapter.keeps_results]
    if not keepers:
        raise ListingNotSupported
    newest_first = sorted(identifiers, reverse=True)
    found = (adapter.pick(readable(caller, adapter, newest_first)) for adapter in keepers)
    tasks, is_cut = _fitting(merge(*found, key=lambda task: task.id, reverse=True))
    return tasks, [one for one in newest_first if is_cut and one < tasks[-1].id]


def _fitting(tasks: Iterable[StoredTask]) -> tuple[list[StoredTask], bool]:
    """Take what one page can hold, one task in any case, and tell whether something is left."""
    taken: list[StoredTask] = []
    room = MAX_PAGE_BYTES - _ROOM_FOR_PAGE_URLS
    for task in tasks:
        room -= _ROOM_FOR_TASK_URL + _length(task)
        if taken and room < 0:
            return taken, True
        taken.append(task)
    return taken, False


def _length(task: StoredTask) -> int:
    # With escapes for what is not ASCII: never shorter than what is answered.
    return len(json_text(represent(task, url="", with_tracebacks=True)))
