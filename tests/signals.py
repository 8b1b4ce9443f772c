"""Receivers of Django's signals for the length of a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.dispatch import Signal


@contextmanager
def connected(signal: Signal, receiver: Callable[..., None]) -> Iterator[None]:
    """Have the function receive the signal."""
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)
