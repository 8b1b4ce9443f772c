"""Rate limits of clients."""

from dataclasses import dataclass

_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Rate:
    """`limit` requests in each window of `seconds`."""

    limit: int
    seconds: int

    def __str__(self) -> str:
        period = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.limit}/{period}"

    @classmethod
    def of(cls, text: str) -> "Rate | None":
        """Read a rate that the model has validated, such as `100/min`; None for an empty text."""
        if not text:
            return None
        limit, _, period = text.partition("/")
        return cls(int(limit), _SECONDS[period])
