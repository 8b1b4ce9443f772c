"""What the commands share that switch a client on and off."""

import argparse
from typing import Any, ClassVar

from django.core.management.base import CommandError

from tasks_api.management.printing import PrintingCommand
from tasks_api.models import Client


class SwitchingCommand(PrintingCommand):
    """Enables or disables a client, as `enables` says; web processes may cache it for `REMEMBER_KEYS_SECONDS`."""

    enables: ClassVar[bool]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the client's name")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(name=options["name"])
        if not client.exists():
            raise CommandError("There is no client with this name; see list_clients.")
        changed = client.exclude(is_enabled=self.enables).update(is_enabled=self.enables)
        done = "enabled" if self.enables else "disabled"
        self.stderr.write(f"{done.capitalize()}." if changed else f"The client is already {done}.")
