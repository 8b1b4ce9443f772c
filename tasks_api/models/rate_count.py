"""The requests of clients with a rate limit in their current windows."""

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connections, models, transaction

# In whole seconds since 1970, by the database's clock, which all machines share.
_CLOCKS = {
    "postgresql": "CAST(FLOOR(EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP())) AS BIGINT)",
    "sqlite": "CAST(STRFTIME('%%s', 'now') AS INTEGER)",
}

# A window that another request has just begun counts as this one's: the clock is read before waiting
# for the row. A clock that was set back by more than a window begins a new one.
_IS_SAME_WINDOW = """
    counted.rate = excluded.rate
    AND counted.window_ends_at - excluded.window_ends_at BETWEEN 0 AND %(seconds)s
"""
_SPENT = f"CASE WHEN {_IS_SAME_WINDOW} THEN counted.spent ELSE 0 END + excluded.spent"
_SPEND = f"""
    INSERT INTO tasks_api_rate_count AS counted (client_number, rate, spent, window_ends_at)
    VALUES (
        %(client)s, %(rate)s, %(number)s,
        (({{clock}} + %(offset)s) / %(seconds)s + 1) * %(seconds)s - %(offset)s
    )
    ON CONFLICT (client_number) DO UPDATE SET
        rate = excluded.rate,
        spent = {_SPENT},
        window_ends_at = CASE
            WHEN {_IS_SAME_WINDOW} THEN counted.window_ends_at ELSE excluded.window_ends_at
        END
    WHERE {_SPENT} <= %(limit)s
    RETURNING spent, window_ends_at - {{clock}}
"""  # noqa: S608 -- all values are parameters
_LEFT = """
    SELECT spent, window_ends_at - {clock}
    FROM tasks_api_rate_count
    WHERE client_number = %(client)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """
    How much of a rate is spent in the current window.

    Attributes:
        number: how many requests are counted.
        seconds_left: until the next window begins; can be 0 or less at its very end.
        is_refused: whether the requests did not fit, and were not counted.

    """

    number: int
    seconds_left: int
    is_refused: bool


class RateCountQuerySet(models.QuerySet["RateCount"]):
    def spend(self, client: int, *, rate: str, limit: int, seconds: int, number: int) -> Spent:
        """
        Count requests of a client if all of them fit into the window of so many seconds.

        Exact whatever the number of processes and machines: it is one statement on PostgreSQL and
        SQLite, and a short transaction on other databases. `number` is at most `limit`.
        """
        clock = _CLOCKS.get(connections[self.db].vendor)
        if clock is None:
            return self._spend_in_transaction(client, rate, limit, seconds, number)
        values: dict[str, int | str] = {
            "client": client,
            "rate": rate,
            "limit": limit,
            "seconds": seconds,
            "number": number,
            # Windows of clients begin at different times.
            "offset": client % seconds,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SPEND.format(clock=clock), values)
            row = cursor.fetchone()
            if is_refused := row is None:
                cursor.execute(_LEFT.format(clock=clock), values)
                row = cursor.fetchone() or (limit, 0)
        return Spent(number=row[0], seconds_left=row[1], is_refused=is_refused)

    def _spend_in_transaction(
        self, client: int, rate: str, limit: int, seconds: int, number: int
    ) -> Spent:
        now, offset = int(time.time()), client % seconds
        ends_at = ((now + offset) // seconds + 1) * seconds - offset
        new = RateCount(client_number=client, rate=rate, spent=0, window_ends_at=ends_at)
        with transaction.atomic(using=self.db):
            self.bulk_create([new], ignore_conflicts=True)
            row = self.select_for_update().get(pk=client)
            if row.rate != rate or not 0 <= row.window_ends_at - ends_at <= seconds:
                row = new
            is_refused = row.spent + number > limit
            if not is_refused:
                row.spent += number
                row.save(using=self.db, force_update=True)
        return Spent(number=row.spent, seconds_left=row.window_ends_at - now, is_refused=is_refused)


class RateCount(models.Model):
    """The requests of one client in its current window, which ends in seconds since 1970."""

    client_number = models.PositiveBigIntegerField(primary_key=True)
    rate = models.CharField(max_length=16)
    spent = models.PositiveBigIntegerField()
    window_ends_at = models.PositiveBigIntegerField(db_index=True)

    objects: ClassVar[Any] = RateCountQuerySet.as_manager()

    class Meta:
        db_table = "tasks_api_rate_count"

    def __str__(self) -> str:
        return f"requests of client {self.client_number}"
