"""Django's management commands with the service's settings, such as `migrate`; and `run`."""

import os
import sys
from typing import override

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand

from service.misconfiguration import exit_on_misconfiguration
from tasks_api.management.printing import until_nobody_reads

RUN = "run"


class Commands(ManagementUtility):
    """Django's commands; their help also tells of `run`, which starts before there are settings."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(["python -m service", *arguments])

    @override
    def main_help_text(self, commands_only: bool = False) -> str:
        text: str = super().main_help_text(commands_only)
        if commands_only:
            return "\n".join(sorted([*text.splitlines(), RUN]))
        return f"{text}\n\n[service]\n    {RUN}"

    @override
    def fetch_command(self, subcommand: str) -> BaseCommand:
        return Run() if subcommand == RUN else super().fetch_command(subcommand)


class Run(BaseCommand):
    """What `help` needs to know of the command."""

    @override
    def print_help(self, prog_name: str, subcommand: str) -> None:
        from service.run import parser  # noqa: PLC0415 -- the other commands do not need it

        parser().print_help()


def main() -> None:
    """Run the command from the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    with exit_on_misconfiguration(), until_nobody_reads():
        if sys.argv[1:2] == [RUN]:
            from service.run import run  # noqa: PLC0415 -- the other commands do not need it

            sys.exit(run(sys.argv[2:]))
        # Pools are for the threads of web processes. Without one, errors say why a connection failed.
        os.environ.setdefault("DATABASE_POOL_SIZE", "0")
        Commands(sys.argv[1:]).execute()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
