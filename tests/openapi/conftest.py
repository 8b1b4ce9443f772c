"""Fixtures: the documents that are read."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.live_service import PROJECT, LiveService

CORPUS = {
    "TASK_APPS": "tests.openapi.corpus",
    "TASKS_API_TASKS": "tests.arguments.signatures_corpus.*,tests.arguments.signatures_corpus_of_strings.*",
}
"""The environment of a service that takes calls of every signature."""


@pytest.fixture(scope="session")
def served_document(service: LiveService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with what the live service answers."""
    file = tmp_path_factory.mktemp("document") / "served.json"
    file.write_text(service.get("/openapi.json").text)
    return file


@pytest.fixture(scope="session")
def corpus_document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the document of a service that takes calls of every signature."""
    directory = tmp_path_factory.mktemp("corpus")
    file = directory / "corpus.json"
    with closing(
        LiveService(f"sqlite:///{directory}/db.sqlite3", directory=directory, env=CORPUS)
    ) as service:
        # One signature of the corpus cannot be served, which is an error of the checks.
        options = ("--skip-checks", "--format=openapi-json")
        file.write_text(service.manage("spectacular", *options).stdout)
    return file


@pytest.fixture(scope="session")
def shipped_document() -> Path:
    """The file in the repository."""
    return PROJECT / "openapi.yaml"


@pytest.fixture(scope="session")
def token(service: LiveService) -> str:
    """The key of the tests, as it stands behind `Bearer` in their requests."""
    sent: str = service.get("/readyz").request.headers["Authorization"]
    return sent.removeprefix("Bearer ")
