from datetime import datetime
from typing import Any

from tasks_api.management.printing import PrintingCommand
from tasks_api.models import Client, ClientKey


class Command(PrintingCommand):
    """Lists clients with their permissions, and the ids of their keys."""

    help = "List the clients and the ids of their keys."

    def handle(self, *args: Any, **options: Any) -> None:
        for client in Client.objects.prefetch_related("keys"):
            self.stdout.write(
                f"{client.name}  scopes: {', '.join(client.scopes) or 'none'}"
                f"  tasks: {', '.join(client.task_patterns) or 'none'}"
                f"  rate: {client.rate or 'none'}{'' if client.is_enabled else '  disabled'}"
            )
            for key in client.keys.all():
                self.stdout.write(f"    {key.key_id}  {_times_of(key)}")


def _times_of(key: ClientKey) -> str:
    times = {
        "created": key.created_at,
        "last used": key.last_used_at,
        "expires": key.expires_at,
        "revoked": key.revoked_at,
    }
    return "  ".join(f"{what} {_minute(when)}" for what, when in times.items() if when)


def _minute(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")
