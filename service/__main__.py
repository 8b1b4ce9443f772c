"""Django's management with the service's settings: `python -m service migrate`, and `run`."""

import os
import sys

from django.core.management import execute_from_command_line

from service.misconfiguration import exit_on_misconfiguration


def main() -> None:
    """Do what the command line says."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    with exit_on_misconfiguration():
        if sys.argv[1:2] == ["run"]:
            from service.run import run  # noqa: PLC0415 -- the other commands do without

            sys.exit(run(sys.argv[2:]))
        # A pool is for the threads of a web process. Without one, an error says why there is no connection.
        os.environ.setdefault("DATABASE_POOL_SIZE", "0")
        execute_from_command_line(["python -m service", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
