"""Announcing a new task by `task_enqueued`, whose result is built only if somebody looks at it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from django.dispatch import Signal
from django.tasks import TaskResult
from django.tasks.signals import log_task_enqueued, logger, task_enqueued

# Django's own writes a line to the log, at the level DEBUG.
_unconcerned: set[Any] = {log_task_enqueued}


def only_for_other_ids[Receiver: Callable[..., None]](receiver: Receiver) -> Receiver:
    """Mark a receiver of `task_enqueued` that does nothing for a task whose id contains its owner."""
    _unconcerned.add(receiver)
    return receiver


def announce(sender: type, result: Callable[[], "TaskResult[..., Any]"]) -> None:
    """Send `task_enqueued` for a task whose id contains its owner."""
    receivers = receivers_of(task_enqueued, sender)
    is_heard = any(receiver not in _unconcerned for receiver in receivers)
    if is_heard or logger.isEnabledFor(logging.DEBUG):
        task_enqueued.send(sender, task_result=result())


def receivers_of(signal: Signal, sender: type) -> Iterator[Any]:
    """Yield all receivers of a signal, synchronous or not."""
    for receivers in signal._live_receivers(sender):
        yield from receivers
