"""The environment that the service's settings are read from, for a benchmark."""

import os


def set_up(database_url: str) -> None:
    """Configure the service for a database of the benchmark's own; before Django is imported."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="service.settings",
        SECRET_KEY="only-for-benchmarks-which-keep-nothing",
        DATABASE_URL=database_url,
        LOG_LEVEL="ERROR",
    )
