"""Fixtures: `python -m service run` on databases to throw away."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.live_run import RunCommand, Running


@pytest.fixture
def run(new_database_url: Callable[[], str], tmp_path: Path) -> Iterator[RunCommand]:
    """A function that starts the command on an empty database, and waits until it is ready."""
    started: list[Running] = []

    def start(
        arguments: Sequence[str] = (),
        *,
        until_ready: bool = True,
        stdout: int | None = None,
        **environment: str,
    ) -> Running:
        defaults = {
            "DATABASE_URL": new_database_url(),
            "SECRET_KEY": "only-for-tests-which-everybody-may-read",
            "WEB_CONCURRENCY": "1",
        }
        directory = tmp_path / f"run{len(started)}"
        directory.mkdir()
        running = Running(directory, defaults | environment, arguments, stdout)
        started.append(running)
        if until_ready:
            running.wait_until_ready()
        return running

    yield start
    for running in started:
        running.close()
