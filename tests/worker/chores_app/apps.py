import os
import time
from pathlib import Path

from django.apps import AppConfig

from tasks_api.worker.parent.chores import Chore, Rest, register_chore


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


class ChoresConfig(AppConfig):
    """Registers chores where a test wants to see them done."""

    name = "tests.worker.chores_app"

    def ready(self) -> None:
        if "CHORE_MARKS" not in os.environ:
            return
        for work, one_worker_of_all in {
            for_all: True,
            for_itself: False,
            fail: False,
            take_long: False,
        }.items():
            register_chore(
                Chore(
                    name=work.__name__,
                    every=1,
                    work=work,
                    one_worker_of_all=one_worker_of_all,
                )
            )
