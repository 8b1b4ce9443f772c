"""Reports configuration errors with a message, without a traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError


@contextmanager
def exit_on_misconfiguration() -> Iterator[None]:
    """Exit with status 1 and a message if a setting is wrong or the database cannot be used."""
    try:
        yield
    except (ImproperlyConfigured, OperationalError, ProgrammingError, ModuleNotFoundError) as error:
        if (message := _message(error)) is None:
            raise
        sys.exit(message)


def _message(error: Exception) -> str | None:
    text = str(error)
    if _is_about_a_missing_table(error):
        return "The database has no tables yet: run `migrate` first."
    if isinstance(error, OperationalError):
        # The driver's message has several lines.
        return f"The database cannot be used: {' '.join(text.split())}"
    if isinstance(error, ProgrammingError):
        return None
    if isinstance(error, ModuleNotFoundError):
        apps = os.environ.get("TASK_APPS", "").split(",")
        named = any(f"{app.strip()}.".startswith(f"{error.name}.") for app in apps)
        return f"TASK_APPS names an app that is not installed: {text}." if named else None
    return text


def _is_about_a_missing_table(error: Exception) -> bool:
    if isinstance(error, ProgrammingError):
        return getattr(error.__cause__, "sqlstate", None) == "42P01"
    return isinstance(error, OperationalError) and str(error).startswith("no such table: ")
