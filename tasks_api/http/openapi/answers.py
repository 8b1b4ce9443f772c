"""The answers in the document: headers, problems, and the components of bodies."""

from collections.abc import Collection, Iterable
from typing import Any

from pydantic import TypeAdapter

from tasks_api.http.openapi.call_components import REFERENCE
from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.problem_json import ProblemRepresentation
from tasks_api.problems import Problem
from tasks_api.results.members import task_members

type Schema = dict[str, Any]

HEADERS = {
    "ETag": "The entity tag of the task, for `If-None-Match`.",
    "Idempotent-Replayed": "`true` if this answer replays an earlier request with this key.",
    "Link": "The next and previous page (RFC 8288), as in the body; absent if there is neither.",
    "Location": "The URL of the task.",
    "Preference-Applied": "`wait=N` if the answer has waited, as `Prefer` asked (RFC 7240).",
    "RateLimit": (
        "The remaining quota of a client with a rate limit: `r` requests in the next `t` seconds "
        "(draft-ietf-httpapi-ratelimit-headers)."
    ),
    "RateLimit-Policy": "The client's rate limit, if it has one: `q` requests in `w` seconds.",
    "Retry-After": "After how many seconds to retry.",
    "WWW-Authenticate": "How to authenticate, or which scope the client lacks (RFC 6750).",
    "X-Request-ID": "The id of this request, which is also in the logs.",
}
RATE_HEADERS = ("RateLimit", "RateLimit-Policy")
HEADERS_OF_PROBLEMS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After", *RATE_HEADERS),
    503: ("Retry-After",),
}


def answer_document(answer: Answer, further_headers: tuple[str, ...]) -> Schema:
    document: Schema = {
        "description": answer.description,
        "headers": _headers("X-Request-ID", *answer.headers, *further_headers),
    }
    if answer.representation is not None:
        reference = REFERENCE + component_name(answer.representation.__name__)
        document["content"] = {"application/json": {"schema": {"$ref": reference}}}
    elif answer.media_type is not None:
        document["content"] = {answer.media_type: {"schema": {"type": "string"}}}
    return document


def problem_documents(kinds: Iterable[type[Problem]]) -> Schema:
    """Describe one answer for each status, with an example for each of its codes."""
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


def components_of_answers(operations: Collection[Operation]) -> dict[str, Schema]:
    """Derive the schemas of answers, and of bodies that have a type, from the types."""
    representations = {
        answer.representation
        for operation in operations
        for answer in operation.answers.values()
        if answer.representation is not None
    }
    bodies = {one.body for one in operations if isinstance(one.body, type)}
    ordered = sorted(
        {*representations, *bodies, ProblemRepresentation}, key=lambda kind: kind.__name__
    )
    hints = {kind.__name__: kind for kind in ordered}
    hints |= {name: member.hint for name, member in task_members.items()}
    schemas, definitions = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(hint)) for name, hint in hints.items()],
        ref_template=REFERENCE + "{model}",
    )
    components = {
        component_name(name): _plain(schema)
        for name, schema in sorted(definitions["$defs"].items())
    }
    for name in task_members:
        # Members that optional apps have registered.
        components["Task"]["properties"][name] = _plain(schemas[name, "serialization"])
        components["Task"]["required"].append(name)
    return components


def component_name(name: str) -> str:
    return name.removesuffix("Representation")


def _plain(schema: Any) -> Any:
    """Drop the titles, which generators use as names, and rename references to components."""
    match schema:
        case dict():
            return {
                key: REFERENCE + component_name(value.removeprefix(REFERENCE))
                if key == "$ref"
                else _plain(value)
                for key, value in schema.items()
                if not (key == "title" and isinstance(value, str))
            }
        case list():
            return [_plain(part) for part in schema]
        case _:
            return schema
