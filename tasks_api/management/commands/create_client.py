import argparse
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction

from tasks_api.calls.patterns import unmatched_by_exposed
from tasks_api.checks.rates import messages_on_rates
from tasks_api.clients import keys
from tasks_api.management.printing import PrintingCommand
from tasks_api.models import Client, every_task, scope_choices, usual_scopes


class Command(PrintingCommand):
    """Creates a client, and prints only its first key on standard output."""

    help = "Create a client and print its key; it is not shown again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--scope",
            action="append",
            choices=[name for name, _ in scope_choices()],
            help=f"a scope to grant; can be repeated; default: {', '.join(usual_scopes())}",
        )
        parser.add_argument(
            "--task",
            action="append",
            metavar="PATTERN",
            help="a pattern of exposed task types to allow; can be repeated; default: all",
        )
        parser.add_argument("--rate", default="", help="the rate limit, such as 100/min")

    def handle(self, *args: Any, **options: Any) -> None:
        if Client.objects.filter(name=options["name"]).exists():
            raise CommandError(
                f"There is already a client called {options['name']}; create_key prints another key for it."
            )
        client = Client(
            name=options["name"],
            scopes=options["scope"] or usual_scopes(),
            task_patterns=options["task"] or every_task(),
            rate=options["rate"],
        )
        try:
            client.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        with transaction.atomic():
            client.save()
            key = keys.issue(client)
        self.stdout.write(key.text)
        for sentence in unmatched_by_exposed(client.task_patterns):
            self.stderr.write(sentence)
        if client.rate:
            for message in messages_on_rates():
                if not message.is_silenced():
                    self.stderr.write(str(message))
