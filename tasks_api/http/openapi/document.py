"""
The OpenAPI document: drf-spectacular finds the URLs, the operations of the views describe them.

It includes the calls of the task types, so it is specific to a deployment.
"""

from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.generators import SchemaGenerator as SpectacularGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.renderers import OpenApiYamlRenderer

from tasks_api import __version__
from tasks_api.calls.batch import MAX_TASKS, MEMBER
from tasks_api.calls.registry import registry
from tasks_api.conf import reset_when_settings_change
from tasks_api.http.openapi.answers import (
    HEADERS,
    RATE_HEADERS,
    answer_document,
    component_name,
    components_of_answers,
    problem_documents,
)
from tasks_api.http.openapi.call_components import REFERENCE, CallComponents
from tasks_api.http.openapi.operation import (
    ALWAYS,
    BATCH,
    CALL,
    FOR_CLIENTS,
    TAGS,
    Operation,
    operation_of,
)

type Schema = dict[str, Any]

KEY = "key"
"""The security scheme of a client's key."""

INFO = {
    "title": "Tasks API",
    "version": __version__,
    "description": (
        "Enqueue Django's background tasks over HTTP and read their results. Later versions may add "
        "members and codes to answers: ignore those that you do not know."
    ),
    "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
}


@lru_cache(maxsize=64)
def openapi_document(task_types: tuple[str, ...]) -> Schema:
    """Return the document with the calls of these task types; without any, it allows any call."""
    generator: Any = SchemaGenerator
    document: Schema = generator().document(task_types)
    return document


@lru_cache(maxsize=64)
def openapi_yaml(task_types: tuple[str, ...]) -> bytes:
    """Return the same document in YAML."""
    # The same renderer as the management command's: the served and the committed document agree.
    renderer: Any = OpenApiYamlRenderer()
    content: bytes = renderer.render(openapi_document(task_types), renderer_context={})
    return content


reset_when_settings_change(openapi_document.cache_clear)
reset_when_settings_change(openapi_yaml.cache_clear)


class OwnComponents(ComponentRegistry):
    """The components of this app's document; it also collects the operations."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []


class SchemaGenerator(SpectacularGenerator):
    """Documents only the resources of this app, not the rest of the project."""

    def _initialise_endpoints(self) -> None:
        super()._initialise_endpoints()  # type: ignore[no-untyped-call]
        endpoints: Any = self.endpoints
        self.endpoints = [
            (*where, view)
            for *where, view in endpoints
            if isinstance(view.cls.schema, OperationSchema)
        ]

    def get_schema(self, request: Any = None, public: bool = True) -> Schema:
        return self.document(tuple(registry.task_types))

    def document(self, task_types: tuple[str, ...]) -> Schema:
        """Describe the resources, with the calls of these task types."""
        self.registry = described = OwnComponents()
        paths: Schema = self.parse(None, public=True)  # type: ignore[no-untyped-call]
        operations = [operation for path in paths.values() for operation in path.values()]
        schemas = components_of_answers(described.operations)
        calls = CallComponents.of(
            [registry.task_types[name] for name in task_types], reserved={BATCH, CALL, *schemas}
        )
        examples = {
            REFERENCE + CALL: calls.examples,
            REFERENCE + BATCH: _examples_of_batches(calls.examples),
        }
        for operation in operations:
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                if found := examples.get(content["schema"]["$ref"]):
                    content["examples"] = found
        return {
            "openapi": "3.1.0",
            "info": INFO,
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
            "paths": dict(sorted(paths.items())),
            "components": {
                "securitySchemes": {
                    KEY: {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "The key of a client: `tk_<key id>_<secret>`.",
                    }
                },
                "schemas": {
                    **schemas,
                    BATCH: _batch(),
                    CALL: calls.body,
                    **calls.components,
                },
                "headers": {
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in HEADERS.items()
                },
            },
        }


class OperationSchema(AutoSchema):
    """Describes the `Operation` that decorates a view's method."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> Schema:
        if not isinstance(registry, OwnComponents):
            # The project's own document lacks the components that our operations refer to.
            return {}
        view: Any = self.view
        operation = operation_of(view, method)
        if operation is None:
            raise ImproperlyConfigured(f"{method} {path} has no `Operation` on its view.")
        registry.operations.append(operation)
        return _document(operation, tag=view.tag, for_clients=view.needs_client)


def _document(operation: Operation, *, tag: str, for_clients: bool) -> Schema:
    scope = f" Needs the scope `{operation.scope}`." if operation.scope else ""
    document: Schema = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description + scope,
        "tags": [tag],
        "security": [{KEY: []}] if for_clients else [],
    }
    if operation.parameters:
        document["parameters"] = list(operation.parameters)
    if operation.body is not None:
        name, is_required = operation.body, True
        if isinstance(name, type):
            name, is_required = component_name(name.__name__), False
        content = {"application/json": {"schema": {"$ref": REFERENCE + name}}}
        document["requestBody"] = {"required": is_required, "content": content}
    document["responses"] = {
        **{
            str(status): answer_document(answer, RATE_HEADERS if for_clients else ())
            for status, answer in operation.answers.items()
        },
        **problem_documents({*ALWAYS, *operation.problems, *(FOR_CLIENTS if for_clients else ())}),
    }
    return document


def _batch() -> Schema:
    return {
        "type": "object",
        "description": "Several calls; all are stored, or none.",
        "properties": {
            MEMBER: {
                "type": "array",
                "items": {"$ref": REFERENCE + CALL},
                "minItems": 1,
                "maxItems": MAX_TASKS,
            }
        },
        "required": [MEMBER],
        "additionalProperties": False,
    }


def _examples_of_batches(examples: Schema) -> Schema:
    """Build an example of a batch from the first two calls."""
    calls = [example["value"] for example in examples.values()][:2]
    return {"batch": {"value": {MEMBER: calls}}} if calls else {}
