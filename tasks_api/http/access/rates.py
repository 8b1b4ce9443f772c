"""
Rate limits: requests of clients are counted in Django's cache, by atomic increments.

The window is fixed, and begins at a different time for each client. A window allows exactly as many
requests as the rate says; around the boundary of two windows, up to twice as many pass in a short time.
"""

import time
from dataclasses import dataclass

from django.core.cache import cache

from tasks_api.clients.caller import Caller
from tasks_api.clients.rate import Rate
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


def spend(caller: Caller, number: int = 1, *, all_or_none: bool = False) -> Allowance | None:
    """
    Count requests of a client and return what is left; None for a client without a rate limit.

    With `all_or_none`, nothing is counted if not all of them fit.

    Raises:
        StoreUnavailable: 503, the cache cannot be reached: requests that cannot be counted are refused.

    """
    rate = caller.rate
    if rate is None:
        return None
    # Windows of clients begin at different times.
    window, elapsed = divmod(time.time() + caller.number % rate.seconds, rate.seconds)
    name = f"tasks_api:rate:{caller.number}:{rate.limit}/{rate.seconds}:{int(window)}"
    spent = _count(name, number, rate.seconds)
    is_exceeded = spent > rate.limit
    if is_exceeded and all_or_none:
        spent = _count(name, -number, rate.seconds)
    return Allowance(
        rate=rate,
        remaining=max(rate.limit - spent, 0),
        resets_in=max(1, int(rate.seconds - elapsed + 0.999)),
        is_exceeded=is_exceeded,
    )


def _count(name: str, number: int, seconds: int) -> int:
    try:
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
