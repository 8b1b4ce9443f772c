"""Schemathesis makes requests of the document and finds no answer that belies it."""

from pathlib import Path

import pytest

from tasks_api.models import Scope
from tests.conftest import StartService
from tests.live_service import PROJECT
from tests.openapi import tools


@pytest.mark.postgres
def test_every_check_of_schemathesis_passes(start_service: StartService, tmp_path: Path) -> None:
    # Without a worker, which would sleep as long as it is told to, so that waiting would be in vain.
    service = start_service({"MAX_WAITING": "0"}, worker=False)
    key = service.create_client("fuzzer", *(f"--scope={scope}" for scope in Scope.values))
    tools.run(
        *(tools.SCRIPTS / "schemathesis", "--config-file", tools.HERE / "schemathesis.toml"),
        *("run", f"{service.url}/openapi.json", "--no-color"),
        *("--header", f"Authorization: Bearer {key}"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT)},
    )
