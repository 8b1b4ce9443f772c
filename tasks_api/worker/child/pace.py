"""When an idle worker looks for a task again."""

import time

FIRST_DELAY_SECONDS = 0.005
EAGER_DELAY_SECONDS = 0.1
EAGER_FOR_SECONDS = 60.0
GROWTH_WHILE_EAGER = 0.02
GROWTH_AFTERWARDS = 0.01
DELAYS_PER_COST = 10.0


class Pace:
    """
    Delays that begin near zero after work and grow while there is none.

    A look that takes long, behind many deferred tasks say, is made less often: at most one part in
    ten of the time is spent looking, as far as the upper bounds allow. These are 0.1 s within a
    minute of work and `interval` seconds later.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._worked_at = time.monotonic()

    def note_work(self) -> None:
        self._worked_at = time.monotonic()

    def delay(self, cost: float) -> float:
        """Return for how many seconds to wait after a look that took `cost` seconds."""
        idle = time.monotonic() - self._worked_at
        if idle < EAGER_FOR_SECONDS:
            limit = min(self._interval, EAGER_DELAY_SECONDS)
            eager = max(FIRST_DELAY_SECONDS, idle * GROWTH_WHILE_EAGER)
        else:
            limit = self._interval
            eager = EAGER_DELAY_SECONDS + (idle - EAGER_FOR_SECONDS) * GROWTH_AFTERWARDS
        return min(limit, max(eager, cost * DELAYS_PER_COST))
