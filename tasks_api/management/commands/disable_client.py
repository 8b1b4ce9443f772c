import argparse
from typing import Any

from django.core.management.base import CommandError

from tasks_api.management.printing import PrintingCommand
from tasks_api.models import Client


class Command(PrintingCommand):
    """Stops a client: its requests are refused, also those that wait; web processes may cache it for `REMEMBER_KEYS_SECONDS`."""

    help = "Stop a client: its requests are refused with all its keys and task tokens, until enable_client. Its tasks run all the same."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the client's name")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(name=options["name"])
        if not client.exists():
            raise CommandError("There is no client with this name; see list_clients.")
        changed = client.filter(is_enabled=True).update(is_enabled=False)
        self.stderr.write("Disabled." if changed else "The client is already disabled.")
