"""The OpenAPI document: current, valid, and true of what the service answers."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.live_service import NO_KEY, LiveService, bearer, wait_until

# It does not depend on the database.
pytestmark = pytest.mark.sqlite

# Headers of answers to some clients, or of some states of a task.
SOMETIMES = {
    "Preference-Applied",
    "Retry-After",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
}
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def document(service: LiveService) -> dict[str, Any]:
    served: dict[str, Any] = service.get("/openapi.json").json()
    return served


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    local = json.loads(json.dumps(schema).replace('"#/', '"urn:openapi#/'))
    return Draft202012Validator(
        local,
        registry=Registry().with_resource("urn:openapi", resource),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def test_the_committed_document_is_what_the_service_as_shipped_generates(
    start_service: Any,
) -> None:
    service = start_service({"TASK_APPS": "", "TASKS_API_TASKS": "service.tasks.*"}, worker=False)

    generated = service.manage("spectacular", "--validate", "--fail-on-warn").stdout
    committed = (ROOT / "openapi.yaml").read_text()
    assert generated == committed, "Run `make schema`."
    assert service.get("/openapi.yaml").text == committed


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_yaml_and_json_are_the_same_document(
    service: LiveService, document: dict[str, Any]
) -> None:
    assert yaml.safe_load(service.get("/openapi.yaml").text) == document


def test_a_generator_finds_nothing_to_warn_of() -> None:
    output = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=output)

    assert "enqueue_task" in output.getvalue()


def test_only_canonical_paths_are_documented(document: dict[str, Any]) -> None:
    without_slash = {path for path in document["paths"] if not path.endswith("/")}

    assert without_slash == {"/livez", "/readyz"}
    assert "/tasks/" in document["paths"]
    assert "/tasks/{task_id}/" in document["paths"]


def test_every_operation_is_documented_in_full(document: dict[str, Any]) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]
    identifiers = [operation["operationId"] for operation in operations]

    assert len(set(identifiers)) == len(identifiers)
    for operation in operations:
        assert operation["operationId"].isidentifier()
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"]
            media_types = list(response.get("content", {}))
            if int(status) >= 400:
                assert media_types == ["application/problem+json"]
            elif status in {"204", "304"}:
                assert media_types == []
            elif operation["operationId"] == "watch_task":
                assert media_types == ["text/event-stream"]
            else:
                assert media_types == ["application/json"]


def test_answers_are_as_documented(service: LiveService, document: dict[str, Any]) -> None:
    call = {"task": "service.tasks.fail", "kwargs": {"message": "no"}}
    url = service.post("/tasks/", call).headers["Location"]
    service.wait_for(url)
    for method, path, target, body in (
        ("post", "/tasks/", "/tasks/", json.dumps(call)),
        ("post", "/tasks/", "/tasks/", "{"),
        ("post", "/tasks/", "/tasks/", "{}"),
        ("get", "/tasks/{task_id}/", url, None),
        ("get", "/tasks/{task_id}/", "/tasks/x/", None),
        ("get", "/tasks/{task_id}/events/", "/tasks/x/events/", None),
        ("post", "/tasks/{task_id}/tokens/", f"{url}tokens/", None),
        ("post", "/tasks/{task_id}/tokens/", f"{url}tokens/", '{"expires_in_seconds": 60}'),
        ("post", "/tasks/{task_id}/tokens/", f"{url}tokens/", '{"expires_in_seconds": 0}'),
        ("get", "/task-types/", "/task-types/", None),
        ("get", "/task-types/{name}/", "/task-types/service.tasks.add/", None),
        ("get", "/", "/", None),
        ("get", "/client/", "/client/", None),
        ("get", "/queues/", "/queues/", None),
        ("get", "/workers/", "/workers/", None),
        ("get", "/livez", "/livez", None),
        ("get", "/readyz", "/readyz", None),
    ):
        headers = {"Content-Type": "application/json"} if body else {}
        response = service.client.request(method, target, content=body, headers=headers)
        documented = document["paths"][path][method]["responses"][str(response.status_code)]
        media_type = response.headers["Content-Type"]
        schema = documented["content"][media_type]["schema"]
        errors = list(validator(document, schema).iter_errors(response.json()))
        assert not errors, (method, target, errors)
        for name in documented["headers"]:
            if name not in SOMETIMES:
                assert name in response.headers


def test_refusals_of_clients_are_as_documented(
    service: LiveService, document: dict[str, Any]
) -> None:
    limited = bearer(service.create_client("documented", "--scope=read", "--rate=1/day"))
    # Each web process of this service counts for itself.
    answers = [service.post("/tasks/", {}, headers=limited) for _ in range(4)]
    answers.append(service.post("/tasks/", {}, headers=NO_KEY))
    assert {answer.status_code for answer in answers} == {401, 403, 429}
    for response in answers:
        status = response.status_code
        documented = document["paths"]["/tasks/"]["post"]["responses"][str(status)]
        schema = documented["content"]["application/problem+json"]["schema"]
        assert not list(validator(document, schema).iter_errors(response.json()))
        for name in documented["headers"]:
            assert name in response.headers


def test_operations_say_whether_they_need_a_key(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for operation in methods.values():
            is_public = path in {"/livez", "/readyz"}
            assert operation["security"] == ([] if is_public else [{"key": []}])
            assert ("401" in operation["responses"]) == (not is_public)


def test_examples_of_calls_are_accepted(service: LiveService, document: dict[str, Any]) -> None:
    body = document["paths"]["/tasks/"]["post"]["requestBody"]["content"]["application/json"]

    assert "SayHello" in body["examples"]
    for example in body["examples"].values():
        assert not list(validator(document, body["schema"]).iter_errors(example["value"]))
        assert service.post("/tasks/", example["value"]).status_code == 202, example


def test_each_task_type_has_a_schema_of_its_own(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    call = schemas["Call"]

    assert call["discriminator"]["propertyName"] == "task"
    mapping = call["discriminator"]["mapping"]
    assert {"$ref": mapping["service.tasks.say_hello"]} in call["oneOf"]
    assert mapping["service.tasks.say_hello"] == "#/components/schemas/SayHelloRequest"
    hello = schemas["SayHelloRequest"]
    assert hello["properties"]["task"]["const"] == "service.tasks.say_hello"
    assert hello["required"] == ["task", "kwargs"]
    assert hello["additionalProperties"] is False
    assert hello["description"] == "Greet somebody by name."


def test_the_document_agrees_with_the_service_on_wrong_calls(
    service: LiveService, document: dict[str, Any]
) -> None:
    accepts = validator(document, {"$ref": "#/components/schemas/Call"}).is_valid
    for body in (
        {"task": "service.tasks.say_hello"},
        {"task": "service.tasks.say_hello", "kwargs": {}},
        {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada", "x": 1}},
        {"task": "service.tasks.nothing"},
        {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}, "surplus": 1},
        {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}, "priority": 101},
    ):
        assert not accepts(body), body
        assert service.post("/tasks/", body).status_code == 400


def test_the_page_and_its_parts_come_from_the_service(service: LiveService) -> None:
    page = service.get("/docs/")
    policy = page.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "//" not in page.text.replace("<!doctype html>", "")
    for line in page.text.splitlines():
        for attribute in ('src="', 'href="', 'data-url="'):
            if attribute in line:
                path = line.split(attribute)[1].split('"')[0]
                assert wait_until(lambda path=path: service.get(path), what=path).status_code == 200


def test_the_document_follows_settings_that_change() -> None:
    def queues() -> list[str]:
        document = Client().get("/openapi.json").json()
        assert yaml.safe_load(Client().get("/openapi.yaml").content) == document
        hello = document["components"]["schemas"]["SayHelloRequest"]
        names: list[str] = hello["properties"]["queue_name"]["anyOf"][0]["enum"]
        return names

    default = settings.TASKS["default"]
    changed = {"default": {**default, "QUEUES": [*default["QUEUES"], "nightly"]}}
    with override_settings(TASKS_API={**settings.TASKS_API, "PUBLIC_CATALOGUE": True}):
        assert queues() == ["default", "emails", "reports"]
        with override_settings(TASKS=changed):
            assert queues() == ["default", "emails", "nightly", "reports"]
        assert queues() == ["default", "emails", "reports"]
