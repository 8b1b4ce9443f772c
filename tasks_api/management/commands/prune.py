import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tasks_api.retention.pruning import prune, would_prune


class Command(BaseCommand):
    """Removes what is past its time; `docs/workers.md` says what that is."""

    help = "Remove finished tasks and what belongs to them, once they are past their time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be removed, and remove nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._tell("Would remove", would_prune())
        else:
            self._tell("Removed", prune(_sleep))

    def _tell(self, what: str, numbers: dict[str, int]) -> None:
        for name, number in numbers.items():
            self.stdout.write(f"{what} {name}: {number}")


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
