from typing import Any

from django.core.management.base import BaseCommand

from tasks_api.calls.idempotency import LIFETIME
from tasks_api.models import IdempotencyRecord


class Command(BaseCommand):
    """Removes idempotency records past their time; the tasks that they led to stay."""

    help = "Remove idempotency records that are past their time."

    def handle(self, *args: Any, **options: Any) -> None:
        removed, _ = IdempotencyRecord.objects.past_their_time(LIFETIME).delete()
        self.stdout.write(f"Removed idempotency records: {removed}")
