"""Lists of tasks, newest first: a page of an owner's, or some that are asked for by their ids."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge

from tasks_api.backends import Position, Selection, StoredTask, adapters
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import readable
from tasks_api.problems import ListingNotSupported

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""How long the JSON of a page may be; a task that is longer is a page of its own."""

# What is left for the URLs of the neighbouring pages, which repeat the request's.
_ROOM_FOR_PAGE_URLS = 32 * 1024

type Spell = Callable[[Iterable[StoredTask]], Iterator[tuple[StoredTask, bytes]]]
"""Gives each task with its JSON, few at a time: what is spelled to be measured is what is sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """
    The JSON of tasks, newest first, and the positions that the neighbouring pages start from.

    A page of filtered tasks may be short, or empty, and still have a next one.
    """

    tasks: list[bytes]
    next: Position | None
    previous: Position | None


def page_of(
    selection: Selection, start: Position | None, *, owner: int, page_size: int, spell: Spell
) -> Page:
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
    found = adapter.walk(selection, start, owner=owner, limit=page_size)
    tasks, cut_at = _fitting(spell(found.tasks))
    reached = cut_at or found.reached
    onward = None if reached is None else Position("<" if to_older else ">", reached)
    backward = None if start is None else start.turned_round
    if to_older:
        return Page(tasks, next=onward, previous=backward)
    return Page(tasks[::-1], next=backward, previous=onward)


def some_of(
    identifiers: Collection[str], caller: Caller, spell: Spell
) -> tuple[list[bytes], list[str]]:
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
    tasks, cut_at = _fitting(spell(merge(*found, key=lambda task: task.id, reverse=True)))
    return tasks, [one for one in newest_first if cut_at is not None and one < cut_at]


def _fitting(spelled: Iterator[tuple[StoredTask, bytes]]) -> tuple[list[bytes], str | None]:
    """Take what one page can hold, one task in any case; where something is left, name the last."""
    taken: list[bytes] = []
    last: str | None = None
    room = MAX_PAGE_BYTES - _ROOM_FOR_PAGE_URLS
    for task, text in spelled:
        room -= len(text) + len(b",")
        if taken and room < 0:
            return taken, last
        taken.append(text)
        last = task.id
    return taken, None
