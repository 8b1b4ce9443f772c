import argparse
from typing import Any

from django.core.management.base import CommandError

from tasks_api.management.printing import PrintingCommand
from tasks_api.models import ClientKey


class Command(PrintingCommand):
    """Revokes a key permanently; web processes may cache it for `REMEMBER_KEYS_SECONDS`."""

    help = "Revoke a key by its id: the part between the first and the second underscore."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("key_id")

    def handle(self, *args: Any, **options: Any) -> None:
        key = ClientKey.objects.filter(pk=options["key_id"])
        if not key.exists():
            raise CommandError("There is no key with this id; see list_clients.")
        revoked = key.revoke()
        self.stderr.write("Revoked." if revoked else "The key is already revoked.")
