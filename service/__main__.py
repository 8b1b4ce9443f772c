"""Django's management commands with the service's settings, such as `migrate`; and `run`."""

import os
import sys

from django.core.management import execute_from_command_line

from service.misconfiguration import exit_on_misconfiguration


def main() -> None:
    """Run the command from the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    with exit_on_misconfiguration():
        if sys.argv[1:2] == ["run"]:
            from service.run import run  # noqa: PLC0415 -- the other commands do not need it

            sys.exit(run(sys.argv[2:]))
        # Pools are for the threads of web processes. Without one, errors say why a connection failed.
        os.environ.setdefault("DATABASE_POOL_SIZE", "0")
        execute_from_command_line(["python -m service", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
