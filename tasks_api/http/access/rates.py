"""
Rate limits: requests of clients are counted in the database, or in a cache that the project names.

The window is fixed, and begins at a different time for each client. A window allows exactly as many
requests as the rate says; around the boundary of two windows, up to twice as many pass in a short time.
"""

import time
from dataclasses import dataclass

from django.core.cache import caches
from django.db import router

from tasks_api.clients.caller import Caller
from tasks_api.clients.rate import Rate
from tasks_api.conf import tasks_api_settings
from tasks_api.models import RateCount, Spent
from tasks_api.problems import StoreUnavailable

POLICY = "default"
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What is left of a rate limit in the current window.

    Attributes:
        rate: the client's rate limit.
        remaining: how many more requests are allowed.
        resets_in: seconds until the next window begins, rounded up.
        is_exceeded: whether this request is over the limit.

    """

    rate: Rate
    remaining: int
    resets_in: int
    is_exceeded: bool

    @property
    def headers(self) -> dict[str, str]:
        """The fields of the IETF draft `RateLimit header fields for HTTP`."""
        return {
            "RateLimit": f'"{POLICY}";r={self.remaining};t={self.resets_in}',
            "RateLimit-Policy": f'"{POLICY}";q={self.rate.limit};w={self.rate.seconds}',
        }


def spend(caller: Caller, number: int = 1) -> Allowance | None:
    """
    Count requests of a client, all or none of them, and return what is left.

    None for a client without a rate limit. Call this outside of transactions, since other requests of
    the client would wait for their end.

    Raises:
        StoreUnavailable: 503, the cache cannot be reached: requests that cannot be counted are refused.
        DatabaseError: the database cannot be reached, which is answered 503 as well.

    """
    rate = caller.rate
    if rate is None:
        return None
    cache_alias = tasks_api_settings().rate_cache
    spent = (
        _spend_in_cache(cache_alias, caller, rate, number)
        if cache_alias
        else RateCount.objects.using(router.db_for_write(RateCount)).spend(
            caller.number, rate=str(rate), limit=rate.limit, seconds=rate.seconds, number=number
        )
    )
    return Allowance(
        rate=rate,
        remaining=max(rate.limit - spent.number, 0),
        resets_in=max(1, spent.seconds_left),
        is_exceeded=spent.is_refused,
    )


def _spend_in_cache(alias: str, caller: Caller, rate: Rate, number: int) -> Spent:
    # As in the database: windows of clients begin at different times.
    window, elapsed = divmod(time.time() + caller.number % rate.seconds, rate.seconds)
    name = f"tasks_api:rate:{caller.number}:{rate.limit}/{rate.seconds}:{int(window)}"
    spent = _increment(alias, name, number, rate.seconds)
    is_refused = spent > rate.limit
    if is_refused and number > 1:
        # For a moment they were counted, and another request may have been refused for them.
        spent = _increment(alias, name, -number, rate.seconds)
    seconds_left = int(rate.seconds - elapsed + 0.999)
    return Spent(number=spent, seconds_left=seconds_left, is_refused=is_refused)


def _increment(alias: str, name: str, number: int, seconds: int) -> int:
    try:
        cache = caches[alias]
        for _ in range(_ATTEMPTS):
            cache.add(name, 0, timeout=2 * seconds)
            try:
                return cache.incr(name, number)
            except ValueError:
                # The cache has evicted the entry in the meantime.
                continue
    except Exception as error:
        # Each cache backend raises the exceptions of its own client library.
        raise StoreUnavailable("The requests of this client cannot be counted.") from error
    raise StoreUnavailable("The requests of this client cannot be counted.")
