"""
What became of a task, more precisely than its status says.

It follows from the status and the path of the last exception: nothing more is stored.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from tasks_api.exceptions import TaskCancelled, TaskExpired, TaskTimedOut, WorkerLost

type Outcome = Literal["succeeded", "failed", "cancelled", "timed_out", "expired", "lost"]

BY_EXCEPTION: Mapping[str, Outcome] = {
    TaskCancelled.class_path(): "cancelled",
    TaskTimedOut.class_path(): "timed_out",
    TaskExpired.class_path(): "expired",
    WorkerLost.class_path(): "lost",
}
"""The outcomes of tasks that were ended, by `exception_class_path`; any other exception is `failed`."""

OUTCOMES: tuple[Outcome, ...] = ("succeeded", "failed", *BY_EXCEPTION.values())


def outcome_of(status: str, exception_class_path: str | None) -> Outcome | None:
    """Return what became of a task; None before its end."""
    match status:
        case "SUCCESSFUL":
            return "succeeded"
        case "FAILED":
            return BY_EXCEPTION.get(exception_class_path or "", "failed")
    return None


def statuses_of(outcomes: Collection[str]) -> frozenset[str]:
    """Return the statuses that tasks with these outcomes have."""
    return frozenset("SUCCESSFUL" if one == "succeeded" else "FAILED" for one in outcomes)
