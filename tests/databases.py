"""
The pytest plugin that chooses the database: `pytest --db sqlite` or `pytest --db postgres`.

It acts before Django's settings are loaded, and tells them through `DATABASE_URL`. Processes of
pytest-xdist inherit the variable, and so share the one server.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from service.environment import AllVariables
from tests.postgresql import PostgreSQLServer

DATABASES = ("sqlite", "postgres")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db",
        choices=DATABASES,
        help="the database to test on; without it DATABASE_URL's kind, else sqlite. For postgres, "
        "DATABASE_URL's server is used, else one is started.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    # Set by a developer's shell, other variables would make the tests' outcome depend on it.
    for name in set(AllVariables.schemas()) - {"DATABASE_URL"}:
        os.environ.pop(name, None)
    given = os.environ.get("DATABASE_URL", "")
    chosen = early_config.known_args_namespace.db or _kind(given)
    if chosen != _kind(given) or not given:
        os.environ["DATABASE_URL"] = _database_of_our_own(chosen, early_config)


def pytest_configure(config: pytest.Config) -> None:
    for kind in DATABASES:
        config.addinivalue_line("markers", f"{kind}: what can only be tested on this database")


def pytest_report_header() -> str:
    return f"tasks database: {_kind(os.environ['DATABASE_URL'])}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kind = _kind(os.environ["DATABASE_URL"])
    others = [other for other in DATABASES if other != kind]
    elsewhere = [item for item in items if any(item.get_closest_marker(other) for other in others)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


def _kind(url: str) -> str:
    return "postgres" if url.startswith("postgres") else "sqlite"


def _database_of_our_own(kind: str, config: pytest.Config) -> str:
    if kind == "postgres":
        server = PostgreSQLServer()
        config.add_cleanup(server.close)
        return server.url
    directory = Path(tempfile.mkdtemp(prefix="tasks-api-sqlite-"))
    config.add_cleanup(lambda: shutil.rmtree(directory))
    return f"sqlite:///{directory / 'db.sqlite3'}"
