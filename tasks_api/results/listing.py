"""Lists of tasks, newest first: a page of an owner's tasks, or tasks selected by their ids."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge

from tasks_api.backends import Position, Selection, StoredTask, adapters
from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import readable
from tasks_api.problems import ListingNotSupported

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""The maximum size of a page's JSON; a larger task is a page of its own."""

# Reserved for the URLs of the adjacent pages, which repeat the request's query.
_ROOM_FOR_PAGE_URLS = 32 * 1024

type Encode = Callable[[Iterable[StoredTask]], Iterator[tuple[StoredTask, bytes]]]
"""Yields each task with its JSON, few at a time; the same bytes are measured and sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """
    The JSON of tasks, newest first, and the positions where the adjacent pages start.

    A page of filtered tasks can be short or empty and still have a next page.
    """

    tasks: list[bytes]
    next: Position | None
    previous: Position | None


def page_of(
    selection: Selection, start: Position | None, *, owner: int, page_size: int, encode: Encode
) -> Page:
    """
    List the tasks of an owner from a position, or from the newest task.

    The tasks come from the first store that can list.

    Raises:
        ListingNotSupported: 501, no store can list its tasks.

    """
    adapter = next((adapter for adapter in adapters() if adapter.lists), None)
    if adapter is None:
        raise ListingNotSupported
    to_older = start is None or start.leads_to_older
    found = adapter.walk(selection, start, owner=owner, limit=page_size)
    tasks, cut_at = _fitting(encode(found.tasks))
    reached = cut_at or found.reached
    onward = None if reached is None else Position("<" if to_older else ">", reached)
    backward = None if start is None else start.opposite
    if to_older:
        return Page(tasks, next=onward, previous=backward)
    return Page(tasks[::-1], next=backward, previous=onward)


def some_of(
    identifiers: Collection[str], caller: Caller, encode: Encode
) -> tuple[list[bytes], list[str]]:
    """
    Read these tasks, as far as they exist and the client may read them.

    The second value has the ids that are left for the next page.

    Raises:
        ListingNotSupported: 501, no backend keeps results.

    """
    keepers = [adapter for adapter in adapters() if adapter.keeps_results]
    if not keepers:
        raise ListingNotSupported
    newest_first = sorted(identifiers, reverse=True)
    found = (adapter.pick(readable(caller, adapter, newest_first)) for adapter in keepers)
    tasks, cut_at = _fitting(encode(merge(*found, key=lambda task: task.id, reverse=True)))
    return tasks, [one for one in newest_first if cut_at is not None and one < cut_at]


def _fitting(encoded: Iterator[tuple[StoredTask, bytes]]) -> tuple[list[bytes], str | None]:
    """Take the tasks that fit on a page, at least one; if any are left, return the last id too."""
    taken: list[bytes] = []
    last: str | None = None
    room = MAX_PAGE_BYTES - _ROOM_FOR_PAGE_URLS
    for task, text in encoded:
        room -= len(text) + len(b",")
        if taken and room < 0:
            return taken, last
        taken.append(text)
        last = task.id
    return taken, None
