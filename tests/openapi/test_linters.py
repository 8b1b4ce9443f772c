"""Linters have nothing to say of the documents; each rule that is off is off with its reason."""

from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from tests.openapi import tools

# Once is enough: no document tells which database it is.
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="session")
def documents(shipped_document: Path, served_document: Path, corpus_document: Path) -> list[Path]:
    return [shipped_document, served_document, corpus_document]


def test_openapi_spec_validator_finds_nothing(documents: list[Path]) -> None:
    for document in documents:
        validate(yaml.safe_load(document.read_text()))


def test_redocly_finds_nothing(documents: list[Path]) -> None:
    # Its rule set knows no warnings: whatever it finds is another exit status.
    tools.node_tool("redocly", "lint", *documents, "--config", tools.HERE / "redocly.yaml")


def test_spectral_finds_nothing(documents: list[Path]) -> None:
    ruleset = tools.HERE / "spectral.yaml"
    tools.node_tool("spectral", "lint", *documents, "--ruleset", ruleset, "--fail-severity", "hint")
