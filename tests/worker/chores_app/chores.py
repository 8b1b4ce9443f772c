"""Chores that behave, and chores that do not; each notes its turns in a file."""

import os
import time
from pathlib import Path

from tasks_api.worker.parent.chores import Chore, Rest


def mark(name: str) -> None:
    """Note in a file when and in which process a chore was done."""
    with (Path(os.environ["CHORE_MARKS"]) / name).open("a") as file:
        file.write(f"{os.getpid()} {time.monotonic()}\n")


def for_all(alias: str, rest: Rest) -> None:
    mark("for all")


def for_itself(alias: str, rest: Rest) -> None:
    mark("for itself")


def fail(alias: str, rest: Rest) -> None:
    mark("fail")
    raise RuntimeError("a chore of another app")


def take_long(alias: str, rest: Rest) -> None:
    mark("take long")
    while not rest(0.1):
        pass
    mark("stopped")


CHORES = [
    Chore(name=work.__name__, every=1, work=work, one_worker_of_all=work is for_all)
    for work in (for_all, for_itself, fail, take_long)
]
