import time
from argparse import ArgumentParser
from typing import Any

from tasks_api.management.printing import PrintingCommand
from tasks_api.retention.expired import kept_forever
from tasks_api.retention.pruning import prune, would_prune


class Command(PrintingCommand):
    """Removes what `RETENTION_DAYS` no longer keeps; see `docs/workers.md`."""

    help = "Remove finished tasks and related rows that are older than RETENTION_DAYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Show what would be removed, without removing it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if kept := kept_forever():
            self.stderr.write(f"{' and '.join(kept)} tasks are kept: RETENTION_DAYS is not set.")
        if options["dry_run"]:
            self._report("Would remove", would_prune())
        else:
            self._report("Removed", prune(_sleep))

    def _report(self, what: str, numbers: dict[str, int]) -> None:
        for name, number in numbers.items():
            self.stdout.write(f"{what} {name}: {number}")


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
