"""Fixtures: the project as a running server, on a database of the kind that is tested on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.conftest import running, throwaway_database
from tests.live_project import LiveProject

type StartProject = Callable[[dict[str, str]], LiveProject]


@pytest.fixture(scope="session")
def start_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartProject]:
    """A function that starts the project with an environment; it runs until the session ends."""
    with ExitStack() as stack:
        template = stack.enter_context(throwaway_database(tmp_path_factory.mktemp("migrated")))
        directory = tmp_path_factory.mktemp("project")
        with closing(LiveProject(template, directory=directory)) as project:
            project.manage("migrate", "--verbosity=0")
            scopes = ("enqueue", "read", "cancel", "admin")
            client_key = project.create_client("tests", *(f"--scope={one}" for one in scopes))
        started: dict[tuple[tuple[str, str], ...], LiveProject] = {}

        def start(env: dict[str, str]) -> LiveProject:
            key = tuple(sorted(env.items()))
            if key not in started:
                directory = tmp_path_factory.mktemp("project")
                url = stack.enter_context(throwaway_database(directory, template=template))
                project = LiveProject(url, directory=directory, env=env, key=client_key)
                started[key] = stack.enter_context(running(project, worker=False))
            return started[key]

        yield start


@pytest.fixture
def project(start_project: StartProject) -> LiveProject:
    """The project as it is by default."""
    return start_project({})
