import argparse
from typing import Any

from django.core.management.base import CommandError

from tasks_api.management.printing import PrintingCommand
from tasks_api.models import Client


class Command(PrintingCommand):
    """Serves the requests of a client again."""

    help = "Serve the requests of a client again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the client's name")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(name=options["name"])
        if not client.exists():
            raise CommandError("There is no client with this name; see list_clients.")
        changed = client.filter(is_enabled=False).update(is_enabled=True)
        self.stderr.write("Enabled." if changed else "The client is already enabled.")
