"""System checks of the service, in addition to those of the app."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from service.private_files import files_open_to_all


@register(Tags.security)
def check_database_files(**_: Any) -> list[CheckMessage]:
    """Report a SQLite database, which contains arguments and results, that all users can read."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    if not (files := files_open_to_all(str(database["NAME"]))):
        return []
    return [
        Warning(
            "Every user of this machine can read the database.",
            hint=f"chmod o= {' '.join(map(str, files))}",
            id="service.W001",
        )
    ]
