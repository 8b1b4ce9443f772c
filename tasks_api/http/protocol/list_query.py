"""
The query of a list: strict parameters, and cursors that are valid for one list only.

A cursor is a position, base64url-encoded and signed together with the owner and the filters that it
was issued for: it can be neither forged nor used for another list.
"""

import base64
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import cast

from django.core.signing import BadSignature, Signer
from django.http import QueryDict
from django.tasks import TaskResultStatus

from tasks_api.backends import Position, Selection
from tasks_api.backends.base import Side
from tasks_api.backends.list_filters import list_filters
from tasks_api.faults import Fault
from tasks_api.ids import canonical_id
from tasks_api.outcomes import OUTCOMES
from tasks_api.problems import InvalidCursor, InvalidRequest
from tasks_api.timestamps import parse_timestamp, timestamp

STATUSES = tuple(TaskResultStatus.values)
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
MAX_IDS = 100

_PAGE_SIZE = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_POSITION = re.compile("([<>]=?)(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """
    The query of `GET /tasks/`.

    Attributes:
        ids: the tasks to read; if empty, the other attributes select the tasks.

    """

    ids: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    page_size: int = DEFAULT_PAGE_SIZE
    start: Position | None = None

    @classmethod
    def of(cls, parameters: QueryDict, *, owner: int) -> "ListQuery":
        """
        Check query parameters, such as `status=FAILED&status=READY&page_size=10`.

        Raises:
            InvalidRequest: 400, parameters have invalid values; `errors` names them.
            InvalidCursor: 400, the cursor was not issued for this owner and these filters.

        """
        given = _Parameters(parameters)
        query = given.ids() if "id" in parameters else given.page()
        if given.faults:
            raise InvalidRequest(faults=given.faults)
        cursor = parameters.get("cursor")
        if cursor is None:
            return query
        start = _position_of(cursor, query.selection, owner)
        return cls(selection=query.selection, page_size=query.page_size, start=start)


def continued(
    parameters: QueryDict, query: ListQuery, position: Position, *, owner: int
) -> QueryDict:
    """Return the parameters of the page that starts at a position of the same list."""
    following = parameters.copy()
    following["cursor"] = _cursor(position, query.selection, owner)
    return following


def narrowed(parameters: QueryDict, identifiers: list[str]) -> QueryDict:
    """Return the parameters for these tasks only."""
    following = parameters.copy()
    following.setlist("id", identifiers)
    return following


class _Parameters:
    """Reads the parameters and collects their faults."""

    def __init__(self, parameters: QueryDict) -> None:
        self.parameters = parameters
        self.faults = [
            Fault("repeated_parameter", "Should occur only once.", parameter=name)
            for name, values in parameters.lists()
            if len(values) > 1 and name not in {"status", "outcome", "id"}
        ] + [
            # No stored text contains NUL, and PostgreSQL rejects queries with it.
            Fault("unstorable_text", "Should contain no NUL character.", parameter=name)
            for name, values in parameters.lists()
            if any("\0" in value for value in values)
        ]

    def ids(self) -> ListQuery:
        for name in self.parameters:
            if name != "id":
                self._report("not_with_id", "Cannot be combined with `id`.", name)
        identifiers = tuple(dict.fromkeys(map(canonical_id, self.parameters.getlist("id"))))
        if len(identifiers) > MAX_IDS:
            self._report("too_many", f"Should be at most {MAX_IDS}.", "id")
        return ListQuery(ids=identifiers)

    def page(self) -> ListQuery:
        return ListQuery(
            selection=Selection(
                statuses=self._several("status", STATUSES),
                outcomes=self._several("outcome", OUTCOMES),
                filters=tuple(self._filters()),
                queue_name=self.parameters.get("queue_name"),
                enqueued_after=self._value("enqueued_after", "date_time", _TIME, parse_timestamp),
                enqueued_before=self._value("enqueued_before", "date_time", _TIME, parse_timestamp),
            ),
            page_size=self._value("page_size", "out_of_range", _SIZE, _page_size)
            or DEFAULT_PAGE_SIZE,
        )

    def _filters(self) -> Iterator[tuple[str, str]]:
        for name, known in list_filters.items():
            if self._value(name, known.code, known.expected, known.parse) is not None:
                yield name, str(self.parameters[name])

    def _several(self, name: str, known: Collection[str]) -> tuple[str, ...]:
        given = set(self.parameters.getlist(name))
        if not given.issubset(known):
            self._report("enum", f"Should be one of {', '.join(known)}.", name)
        return tuple(sorted(given))

    def _value[Value](
        self, name: str, code: str, expected: str, parse: Callable[[str], Value | None]
    ) -> Value | None:
        text = self.parameters.get(name)
        if text is None:
            return None
        value = parse(text)
        if value is None:
            self._report(code, expected, name)
        return value

    def _report(self, code: str, detail: str, parameter: str) -> None:
        self.faults.append(Fault(code, detail, parameter=parameter))


_SIZE = f"Should be a whole number from 1 to {MAX_PAGE_SIZE}."
_TIME = (
    "Should be an RFC 3339 date-time with an offset, such as 2026-11-22T09:00:00Z; "
    "encode + as %2B in a query."
)


def _page_size(text: str) -> int | None:
    is_one = _PAGE_SIZE.fullmatch(text) and int(text) <= MAX_PAGE_SIZE
    return int(text) if is_one else None


def _signer(selection: Selection, owner: int) -> Signer:
    def as_json(value: object) -> object:
        return timestamp(value) if isinstance(value, datetime) else value

    filters = {name: as_json(value) for name, value in asdict(selection).items()}
    return Signer(salt=json.dumps(["tasks_api.cursor", owner, filters]), sep=".")


def _cursor(position: Position, selection: Selection, owner: int) -> str:
    text = position.side + position.id
    encoded = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return _signer(selection, owner).sign(encoded)


def _position_of(cursor: str, selection: Selection, owner: int) -> Position:
    try:
        encoded = _signer(selection, owner).unsign(cursor)
    except BadSignature:
        fault = Fault("cursor", "Should come from an answer to the same query.", parameter="cursor")
        raise InvalidCursor(faults=[fault]) from None
    padding = "=" * (-len(encoded) % 4)
    text = base64.urlsafe_b64decode(encoded + padding).decode()
    # The signature is valid, so the text has the form that `_cursor` gave it.
    side, identifier = cast(re.Match[str], _POSITION.fullmatch(text)).groups()
    return Position(cast(Side, side), identifier)
