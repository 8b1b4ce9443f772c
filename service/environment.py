"""The environment variables of the service: its own, and those for the keys of `TASKS_API`."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, override

from pydantic import AfterValidator, BeforeValidator, Field, create_model, field_validator

from tasks_api.conf import TasksApiSettings
from tasks_api.declared_settings import DeclaredSettings, JsonSchema, Strings

BACKENDS = {
    "database": "django_tasks_db.DatabaseBackend",
    "immediate": "django.tasks.backends.immediate.ImmediateBackend",
    "dummy": "django.tasks.backends.dummy.DummyBackend",
}
DEFAULT_HOST = "127.0.0.1"
# As browsers send it: in lower case, and without the scheme's own port.
_ORIGIN = re.compile(
    r"(http(?!.*:80$)|https(?!.*:443$))://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)
SWITCHES = {"1": True, "on": True, "true": True, "yes": True}
SWITCHES |= {"0": False, "off": False, "false": False, "no": False}


def is_hard_to_guess(secret: str) -> bool:
    """Whether a secret is long enough, and no repetition of a few characters."""
    return len(secret) >= 32 and len(set(secret)) >= 5


def _secret_key(text: str) -> str:
    if text and not is_hard_to_guess(text):
        raise ValueError
    return text


def _origins(origins: Sequence[str]) -> Sequence[str]:
    """Check that these are origins (RFC 6454), and no patterns."""
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError
    return origins


def _without_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
    return found


class Environment(DeclaredSettings):
    """The service's own variables; `AllVariables` adds those for the keys of `TASKS_API`."""

    types: ClassVar[dict[str, str]] = {
        "array": "a list",
        "boolean": "on or off",
        "string": "text",
    }

    database_url: str | None = Field(
        None,
        repr=False,
        description=(
            "`sqlite:///FILE`, relative to the working directory, or "
            "`postgres://user:password@host:port/name`; options of the driver as a query, such as "
            "`?sslmode=require`. Without it, `db.sqlite3` in the checkout"
        ),
    )
    database_pool_size: int = Field(
        0,
        ge=0,
        le=1000,
        description=(
            "the maximum number of connections to PostgreSQL of each process, which its threads then "
            "share; 0: each thread keeps its own, and under ASGI, where requests have no threads to "
            "keep, they share 8"
        ),
    )
    secret_key: Annotated[str, AfterValidator(_secret_key)] = Field(
        "",
        repr=False,
        description=(
            "signs sessions and cursors; the same in all processes. `python -m service run` "
            "generates one in the file `.secret_key`, readable only by its owner, beside the SQLite "
            "database or in the checkout; the other commands read it there"
        ),
        json_schema_extra={
            "expected": "a random text of at least 32 characters, such as `openssl rand -hex 32` prints"
        },
    )
    secret_key_fallbacks: Strings = Field(
        (),
        repr=False,
        description=(
            "earlier values of `SECRET_KEY`: what was signed with them, such as task tokens, cursors and "
            "sessions, is still valid"
        ),
    )
    allowed_hosts: Strings = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="the allowed values of `Host`; `/livez` and `/readyz` accept any",
    )
    cors_allowed_origins: Annotated[Strings, AfterValidator(_origins)] = Field(
        (),
        description=(
            "the origins of pages whose scripts may use the API, such as `https://app.example.org`; "
            "never the service's own pages, such as the admin. Without it, there is no CORS"
        ),
        json_schema_extra={
            "expected": (
                "origins without paths and default ports, such as https://app.example.org or "
                "http://localhost:3000"
            )
        },
    )
    cache_url: str = Field(
        "",
        repr=False,
        description=(
            "the cache for rate limit counters, such as `rediscache://host:6379/1` with the package "
            "`redis`; without it, they are in the database, at the cost of one statement for each "
            "request of a client with a rate limit"
        ),
    )
    email_url: str = Field(
        "",
        repr=False,
        description=(
            "the mail server for tasks that send e-mail, such as "
            "`smtp+tls://user:password@mail.example.org:587`; without it, e-mail is written to the log"
        ),
    )
    default_from_email: str = Field(
        "tasks@localhost", description="the sender of e-mail that names no other"
    )
    debug: bool = Field(False, description="Django's debug mode; not for production")
    log_format: Literal["console", "json"] = Field(
        "console", description="lines for people, or one JSON object on each line"
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)
    ] = Field("INFO", description="the least severe level that is logged")
    task_apps: Strings = Field(
        (), description="additional installed Django apps, whose `tasks` modules are loaded"
    )
    tasks_queues: Strings = Field(
        (),
        description="queues in addition to `default`, `emails` and `reports` of the sample tasks",
    )
    tasks_backend: str = Field(
        "database",
        pattern=rf"^({'|'.join(BACKENDS)})$|\.",
        description=(
            "`database`: workers run the tasks. `immediate`: they run within the request, and their "
            "results cannot be read later. `dummy`: they never run. Or the dotted path of a backend"
        ),
        json_schema_extra={
            "expected": f"one of {', '.join(BACKENDS)}, or the dotted path of a task backend"
        },
    )
    host: str = Field(
        DEFAULT_HOST,
        description="the address to listen on; `python -m service run` has `--host` instead",
    )
    port: int = Field(
        8000, ge=1, le=65_535, description="the port; `python -m service run` has `--port` too"
    )
    web_concurrency: int = Field(2, ge=1, le=256, description="web processes")
    web_threads: int = Field(8, ge=2, le=256, description="threads in each web process")

    # A key of TASKS_API with another name, because TASKS is a setting of Django's.
    tasks_api_tasks: Strings = Field(
        ("service.tasks.*",), description=TasksApiSettings.model_fields["tasks"].description
    )

    @field_validator("policies", mode="before", check_fields=False)
    @classmethod
    def _from_json(cls, text: Any) -> Any:
        """Read the one variable that is an object; what is wrong with its JSON is said, and where."""
        if not isinstance(text, str):
            return text
        try:
            return json.loads(text, object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"cannot be read: {error}") from None

    @property
    def tasks_api(self) -> dict[str, Any]:
        """The setting `TASKS_API`."""
        return {key.upper(): getattr(self, field) for key, field in FIELDS_BY_KEY.items()}

    @classmethod
    @override
    def expected(cls, schema: JsonSchema) -> str:
        match schema:
            case {"anyOf": [one, {"type": "null"}]}:
                # None is expressed by not setting the variable.
                return cls.expected(one)
        return super().expected(schema)


# For classes and functions of a Django project, where the service uses only keys; and for the cache,
# which has CACHE_URL.
KEYS_WITHOUT_VARIABLE = {"authentication_classes", "client_of", "rate_cache"}
FIELDS_BY_KEY = {
    key: {"tasks": "tasks_api_tasks"}.get(key, key)
    for key in TasksApiSettings.model_fields
    if key not in KEYS_WITHOUT_VARIABLE
}
"""The field of the environment for each key of `TASKS_API`, both in lower case."""

# Where a project decides for itself what becomes of its tasks, and its server may need a thread for each request that
# waits.
_OWN_DEFAULTS = {"retention_days": 14, "max_waiting": 500}
_SHARED: dict[str, Any] = {
    key: (
        Annotated[
            TasksApiSettings.model_fields[key].annotation, TasksApiSettings.model_fields[key]
        ],
        _OWN_DEFAULTS.get(key, TasksApiSettings.model_fields[key].default),
    )
    for key, field in FIELDS_BY_KEY.items()
    if field == key
}
AllVariables: type[Environment] = create_model("AllVariables", __base__=Environment, **_SHARED)
"""All variables, including those for the keys of `TASKS_API`."""


def read_environment(environment: Mapping[str, str] = os.environ) -> Environment:
    """
    Read the variables; a typo in a value is reported.

    Raises:
        ImproperlyConfigured: some have a wrong value; the message has a line for each.

    """
    given = {
        name: _value(environment[name], schema)
        for name, schema in AllVariables.schemas().items()
        if name in environment
    }
    return AllVariables.checked({name: value for name, value in given.items() if value is not None})


def _value(text: str, schema: JsonSchema) -> Any:
    """
    Convert a text to its type, a blank number, switch or object to None.

    An invalid text stays as it is, and that of an object, which its field reads.
    """
    match schema:
        case {"type": "array"}:
            return [entry.strip() for entry in text.split(",") if entry.strip()]
        case {"type": "boolean"}:
            return SWITCHES.get(text.strip().lower(), text) if text.strip() else None
        case {"type": "integer"}:
            number = text.strip()
            return (int(number) if re.fullmatch("[0-9]{1,9}", number) else text) if number else None
        case {"type": "object"}:
            return text if text.strip() else None
        case {"anyOf": [one, {"type": "null"}]}:
            return _value(text, one)
    return text
