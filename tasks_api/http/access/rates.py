"""
How many requests a client may send: counted in Django's cache, by increments that are atomic there.

The window is fixed, and begins at another moment for each client. Within one window exactly as many
requests pass as the rate says; over the border between two, up to twice as many in a short time.
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
    What is left of a rate in the window that is.

    Attributes:
        rate: the client's.
        remaining: how many more requests would pass.
        resets_in: in how many seconds the next window begins, rounded up.
        is_exceeded: whether what was asked for must not pass.

    """

    rate: Rate
    remaining: int
    resets_in: int
    is_exceeded: bool

    @property
    def headers(self) -> dict[str, str]:
        """Spell the fields of the IETF's draft `RateLimit header fields for HTTP`."""
        return {
            "RateLimit": f'"{POLICY}";r={self.remaining};t={self.resets_in}',
            "RateLimit-Policy": f'"{POLICY}";q={self.rate.limit};w={self.rate.seconds}',
        }


def spend(caller: Caller, number: int = 1, *, all_or_none: bool = False) -> Allowance | None:
    """
    Count so many requests of a client and tell what is left; None for a client without a rate.

    With `all_or_none`, none of them is counted where not all of them fit.

    Raises:
        StoreUnavailable: 503, the cache cannot be reached: what cannot be counted must not pass.

    """
    rate = caller.rate
    if rate is None:
        return None
    # Not all clients begin anew at the same moment.
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
                # The cache has let go of it meanwhile, to make room.
                continue
    except Exception as error:
        # A cache raises whatever the library of its server raises.
        raise StoreUnavailable("The requests of this client cannot be counted.") from error
    raise StoreUnavailable("The requests of this client cannot be counted.")
