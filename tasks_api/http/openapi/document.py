"""
The OpenAPI document: drf-spectacular walks the URLs, the operations of the views say what each does.

The calls of the task types are part of it, so that it says of each deployment what that takes.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.generators import SchemaGenerator as SpectacularGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.renderers import OpenApiYamlRenderer
from pydantic import TypeAdapter

from tasks_api import __version__
from tasks_api.calls.batch import MAX_TASKS, MEMBER
from tasks_api.calls.registry import registry
from tasks_api.http.openapi.call_schemas import REFERENCE, CallSchemas
from tasks_api.http.openapi.operation import (
    ALWAYS,
    BATCH,
    CALL,
    FOR_CLIENTS,
    TAGS,
    Answer,
    Operation,
    operation_of,
)
from tasks_api.http.protocol.problem_json import ProblemRepresentation
from tasks_api.problems import Problem
from tasks_api.results.members import task_members

type Schema = dict[str, Any]

HEADERS = {
    "ETag": "The state of the task, to be sent back in `If-None-Match`.",
    "Idempotent-Replayed": "`true` where the first request with this key came earlier.",
    "Link": "The next and the previous page (RFC 8288), as in the body; absent where neither is.",
    "Location": "The URL of the task.",
    "RateLimit": (
        "What is left to a client with a rate: `r` requests in the next `t` seconds "
        "(draft-ietf-httpapi-ratelimit-headers)."
    ),
    "RateLimit-Policy": "The rate of a client that has one: `q` requests in `w` seconds.",
    "Retry-After": "In how many seconds to ask again.",
    "WWW-Authenticate": "What would authenticate the client, or which scope it lacks (RFC 6750).",
    "X-Request-ID": "The id of this request, which the logs carry too.",
}
RATE_HEADERS = ("RateLimit", "RateLimit-Policy")
HEADERS_OF_PROBLEMS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After", *RATE_HEADERS),
    503: ("Retry-After",),
}
KEY = "key"
"""The security scheme of a client's key."""

INFO = {
    "title": "Tasks API",
    "version": __version__,
    "description": (
        "Enqueue Django's background tasks over HTTP and read their results. An answer may gain "
        "members and codes in time: ignore those that you do not know."
    ),
    "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
}


@lru_cache(maxsize=64)
def openapi_document(task_types: tuple[str, ...]) -> Schema:
    """Return the document with the calls of these task types; without any, it takes any call."""
    generator: Any = SchemaGenerator
    document: Schema = generator().document(task_types)
    return document


@lru_cache(maxsize=64)
def openapi_yaml(task_types: tuple[str, ...]) -> bytes:
    """Return the same document in YAML."""
    # The renderer of the management command: what is served is what is committed.
    renderer: Any = OpenApiYamlRenderer()
    content: bytes = renderer.render(openapi_document(task_types), renderer_context={})
    return content


class OwnComponents(ComponentRegistry):
    """Goes along when this app's document is generated, and collects what the document describes."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []


class SchemaGenerator(SpectacularGenerator):
    """Documents the resources of this app alone, whatever else the project serves."""

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
        """Describe the resources, and of the task types these."""
        self.registry = described = OwnComponents()
        paths: Schema = self.parse(None, public=True)  # type: ignore[no-untyped-call]
        operations = [operation for path in paths.values() for operation in path.values()]
        schemas = _components_of_answers(described.operations)
        calls = CallSchemas.of(
            [registry.task_types[name] for name in task_types], reserved={BATCH, CALL, *schemas}
        )
        examples = {
            REFERENCE + CALL: calls.examples,
            REFERENCE + BATCH: _examples_of_batches(calls.examples),
        }
        for operation in operations:
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                content["examples"] = examples[content["schema"]["$ref"]]
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
    """Writes down the `Operation` that decorates a view's method."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> Schema:
        if not isinstance(registry, OwnComponents):
            # The project's document: what our operations refer to is not in there.
            return {}
        view: Any = self.view
        operation = operation_of(view, method)
        if operation is None:
            raise ImproperlyConfigured(
                f"{method} {path} is served, but its view names no operation."
            )
        registry.operations.append(operation)
        return _document(operation, tag=view.tag, for_clients=view.needs_client)


def _document(operation: Operation, *, tag: str, for_clients: bool) -> Schema:
    needs = f" Needs the scope `{operation.scope}`." if operation.scope else ""
    document: Schema = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description + needs,
        "tags": [tag],
        "security": [{KEY: []}] if for_clients else [],
    }
    if operation.parameters:
        document["parameters"] = list(operation.parameters)
    if operation.body is not None:
        content = {"application/json": {"schema": {"$ref": REFERENCE + operation.body}}}
        document["requestBody"] = {"required": True, "content": content}
    document["responses"] = {
        **{
            str(status): _answer(answer, RATE_HEADERS if for_clients else ())
            for status, answer in operation.answers.items()
        },
        **_problem_answers({*ALWAYS, *operation.problems, *(FOR_CLIENTS if for_clients else ())}),
    }
    return document


def _batch() -> Schema:
    return {
        "type": "object",
        "description": "Several calls, to be stored together or not at all.",
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
    """Put the first two calls into one batch."""
    calls = [example["value"] for example in examples.values()][:2]
    return {"batch": {"value": {MEMBER: calls}}} if calls else {}


def _answer(answer: Answer, further_headers: tuple[str, ...]) -> Schema:
    document: Schema = {
        "description": answer.description,
        "headers": _headers("X-Request-ID", *answer.headers, *further_headers),
    }
    if answer.representation is not None:
        reference = REFERENCE + _component_name(answer.representation.__name__)
        document["content"] = {"application/json": {"schema": {"$ref": reference}}}
    return document


def _problem_answers(kinds: Iterable[type[Problem]]) -> Schema:
    """Describe one answer for each status, with an example for each code that it stands for."""
    by_status: dict[int, list[type[Problem]]] = {}
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.code)):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status): {
            "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in members) + ".",
            "headers": _headers("X-Request-ID", *HEADERS_OF_PROBLEMS.get(status, ())),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": REFERENCE + "Problem"},
                    "examples": {kind.code: {"value": _example(kind)} for kind in members},
                }
            },
        }
        for status, members in by_status.items()
    }


def _example(kind: type[Problem]) -> ProblemRepresentation:
    return {
        "type": f"/problems/#{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": kind.explanation(),
        "request_id": "0f6a7c1e5b8d4f2a9c3e7d1b6a5f4e3d",
    }


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _components_of_answers(operations: Iterable[Operation]) -> dict[str, Schema]:
    """Derive the schemas of answers from the types that build them."""
    representations = {
        answer.representation
        for operation in operations
        for answer in operation.answers.values()
        if answer.representation is not None
    }
    ordered = sorted({*representations, ProblemRepresentation}, key=lambda kind: kind.__name__)
    _, definitions = TypeAdapter.json_schemas(
        [(kind, "serialization", TypeAdapter(kind)) for kind in ordered],
        ref_template=REFERENCE + "{model}",
    )
    components = {
        _component_name(name): _plain(schema)
        for name, schema in sorted(definitions["$defs"].items())
    }
    for name, member in task_members.items():
        # What optional apps have registered.
        components["Task"]["properties"][name] = _plain(TypeAdapter(member.hint).json_schema())
        components["Task"]["required"].append(name)
    return components


def _component_name(name: str) -> str:
    return name.removesuffix("Representation")


def _plain(schema: Any) -> Any:
    """Drop the titles, which generators take for names, and name components as we do."""
    match schema:
        case dict():
            return {
                key: REFERENCE + _component_name(value.removeprefix(REFERENCE))
                if key == "$ref"
                else _plain(value)
                for key, value in schema.items()
                if not (key == "title" and isinstance(value, str))
            }
        case list():
            return [_plain(part) for part in schema]
        case _:
            return schema
