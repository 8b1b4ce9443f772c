from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from tasks_api.models import Client, ClientKey


class Command(BaseCommand):
    """Lists clients with what they may do, and their keys by id."""

    help = "List the clients and their keys; the keys themselves are not known."

    def handle(self, *args: Any, **options: Any) -> None:
        for client in Client.objects.prefetch_related("keys"):
            self.stdout.write(
                f"{client.name}  scopes: {', '.join(client.scopes) or 'none'}"
                f"  tasks: {', '.join(client.task_patterns) or 'none'}"
                f"  rate: {client.rate or 'none'}"
            )
            for key in client.keys.all():
                self.stdout.write(f"    {key.key_id}  {_life_of(key)}")


def _life_of(key: ClientKey) -> str:
    moments = {
        "created": key.created_at,
        "last used": key.last_used_at,
        "expires": key.expires_at,
        "revoked": key.revoked_at,
    }
    return "  ".join(f"{what} {_minute(when)}" for what, when in moments.items() if when)


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
