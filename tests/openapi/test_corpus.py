"""A service with task functions of every signature: its document is valid, and clients come of it."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.tasks import Task
from openapi_spec_validator import validate

from tests.arguments import signatures_corpus, signatures_corpus_of_strings
from tests.conftest import StartService
from tests.live_service import PROJECT, LiveService
from tests.openapi import tools
from tests.openapi.conftest import CORPUS

# Once is enough: a document is made of signatures alone.
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="session")
def corpus(corpus_document: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(corpus_document.read_text())
    return document


def test_every_signature_is_part_of_a_valid_document(corpus: dict[str, Any]) -> None:
    validate(corpus)
    mapping = corpus["components"]["schemas"]["Call"]["discriminator"]["mapping"]

    defined = {
        task.module_path
        for module in (signatures_corpus, signatures_corpus_of_strings)
        for task in vars(module).values()
        if isinstance(task, Task)
    }
    assert defined - set(mapping) == {
        "tests.arguments.signatures_corpus.with_required_keyword_self"
    }
    assert set(mapping) <= defined
    assert len(set(mapping.values())) == len(mapping)


def test_the_system_check_tells_the_authors_what_a_hint_cannot_do(tmp_path: Path) -> None:
    with closing(
        LiveService(f"sqlite:///{tmp_path}/db.sqlite3", directory=tmp_path, env=CORPUS)
    ) as service:
        # One signature cannot be served, which is an error.
        told = tools.run_for_errors(
            sys.executable, "-m", "service", "check", cwd=PROJECT, env=service.environment
        )

    assert (
        "(tasks_api.E001) The task tests.arguments.signatures_corpus.with_required_keyword_self "
        in told
    )
    assert (
        "(tasks_api.W002) The task tests.arguments.signatures_corpus.a_date: The hint of `value` is "
        "datetime.date, but the function receives the JSON string as it was sent; with the decorator "
        "`tasks_api.typed.typed` below `@task`, it receives what the hint says." in told
    )


def test_two_classes_of_one_name_have_components_of_their_own(corpus: dict[str, Any]) -> None:
    assert {
        "TestsArgumentsSignaturesCorpusOrder",
        "TestsArgumentsSignaturesCorpusOfStringsOrder",
    } <= set(corpus["components"]["schemas"])


def test_examples_of_every_signature_are_accepted(
    start_service: StartService, corpus: dict[str, Any]
) -> None:
    service = start_service(CORPUS, worker=False)
    assert service.get("/openapi.json").json() == corpus
    content = corpus["paths"]["/tasks/"]["post"]["requestBody"]["content"]

    examples = [each["value"] for each in content["application/json"]["examples"].values()]
    refused = {
        example["task"]: response.text
        for example in examples
        if (response := service.post("/tasks/", example)).status_code != 202
    }
    assert len(examples) > 130
    assert refused == {}


def test_openapi_python_client_takes_every_signature(corpus_document: Path, tmp_path: Path) -> None:
    tools.openapi_python_client(corpus_document, tmp_path / "tasks_api_client")

    # Whatever the generator left out would be missed by the import of a call.
    program = "from tasks_api_client.api.tasks import enqueue_task"
    tools.run(sys.executable, "-c", program, cwd=tmp_path)


def test_openapi_generator_takes_every_signature_for_python(
    corpus_document: Path, tmp_path: Path
) -> None:
    tools.openapi_generator("python", corpus_document, tmp_path)

    program = "from openapi_client import Call, TasksApi"
    tools.run(sys.executable, "-c", program, cwd=tmp_path)


def test_typescript_clients_of_every_signature_compile(
    corpus_document: Path, tmp_path: Path
) -> None:
    tools.openapi_typescript(corpus_document, tmp_path / "schema.d.ts")
    tools.openapi_generator("typescript-axios", corpus_document, tmp_path / "axios")
    programs = {
        "main.ts": 'export { TasksApi } from "./axios";\n',
        "wrong.ts": 'export type { paths } from "./schema";\n',
    }
    for name, program in programs.items():
        tmp_path.joinpath(name).write_text(program)

    assert tools.tsc(tmp_path, module="commonjs") == set()
