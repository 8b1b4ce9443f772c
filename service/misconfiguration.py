"""What whoever starts the service can mend is told in one line, without a traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the process with status 1 and one line on standard error, where a line says it all."""
    try:
        yield
    except (ImproperlyConfigured, OperationalError, ProgrammingError, ModuleNotFoundError) as error:
        if (line := _explanation(error)) is None:
            raise
        sys.exit(line)


def _explanation(error: Exception) -> str | None:
    message = str(error)
    if isinstance(error, OperationalError):
        # The driver's message has several lines.
        return f"The database cannot be used: {' '.join(message.split())}"
    if isinstance(error, ProgrammingError):
        is_empty = getattr(error.__cause__, "sqlstate", None) == "42P01"
        return "The database has no tables yet: run `migrate` first." if is_empty else None
    if isinstance(error, ModuleNotFoundError):
        apps = os.environ.get("TASK_APPS", "").split(",")
        named = any(f"{app.strip()}.".startswith(f"{error.name}.") for app in apps)
        return f"TASK_APPS names an app that is not installed: {message}." if named else None
    return message
