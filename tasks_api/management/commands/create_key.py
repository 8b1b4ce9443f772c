import argparse
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from tasks_api.clients import keys
from tasks_api.management.printing import PrintingCommand
from tasks_api.models import Client

MAX_DAYS = 36500


class Command(PrintingCommand):
    """Creates another key for a client, and prints only the key on standard output."""

    help = "Create another key for a client and print it; it is not shown again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--expires-in-days", type=int, metavar="N", help="default: never")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(name=options["name"]).first()
        if client is None:
            raise CommandError("There is no client with this name; see list_clients.")
        expires_at, days = None, options["expires_in_days"]
        if days is not None:
            if not 0 < days <= MAX_DAYS:
                raise CommandError(f"--expires-in-days must be 1 to {MAX_DAYS}.")
            expires_at = timezone.now() + timedelta(days=days)
        self.stdout.write(keys.issue(client, expires_at=expires_at).text)
