"""Writes the page `docs/settings.md` from the declared settings: `make docs`."""

import sys
from collections.abc import Iterable
from typing import Any

from service.environment import FIELDS_BY_KEY, AllVariables
from tasks_api.conf import TasksApiSettings
from tasks_api.declared_settings import JsonSchema
from tasks_api.management.printing import until_nobody_reads

PAGE = """\
# Settings

[//]: # (Written by `make docs` from tasks_api/conf.py and service/environment.py.)

The app `tasks_api` is configured by Django's setting `TASKS_API`, a dict; the service by environment
variables. Each setting is checked when a process starts: a wrong value is reported in one line that says
what is allowed, and the process ends with status 1.

## Keys of `TASKS_API` and their variables

A Django project sets the keys; the service sets them from the variables.

{keys}

[Running workers](workers.md#what-is-removed-and-when) explains what `RETENTION_DAYS` removes and when,
[Clients and keys](clients.md) what `AUTHENTICATION_CLASSES` and `CLIENT_OF` are for. `python -m service run` sets
`PUBLIC_CATALOGUE` to `on` unless it is set.

## Other variables of the service

{variables}

`service/gunicorn.conf.py` reads `HOST`, `PORT`, `WEB_CONCURRENCY` and `WEB_THREADS`. What gunicorn itself takes
from the environment, such as `FORWARDED_ALLOW_IPS` and `GUNICORN_CMD_ARGS`, works as well.

## How variables are written

The entries of a list are separated by commas. `on` and `off` can also be written `true` and `false`, `1` and `0`,
`yes` and `no`; in `TASKS_API` they are `True` and `False`. An object is written in JSON, in `TASKS_API` as a dict:

```sh
export POLICIES='{{"shop.tasks.*": {{"max_attempts": 5, "backoff": {{"initial": 1, "max": 60}}}}}}'
```

An empty variable means the default for a whole number, for `on` or `off` and for an object; for a list it means no
entries.
"""


def settings_page() -> str:
    """Return the page in Markdown."""
    return PAGE.format(keys="\n".join(_keys()), variables="\n".join(_variables()))


def _keys() -> Iterable[str]:
    yield from _heading("key", "variable", "value", "default", "meaning")
    variables = AllVariables.schemas()
    for key, schema in TasksApiSettings.schemas().items():
        default = _default(schema)
        variable = FIELDS_BY_KEY.get(key.lower(), "").upper()
        if variable and (of_the_service := _default(variables[variable])) != default:
            default += f"; {of_the_service} in the service"
        yield _row(_code(key), _code(variable) if variable else "", *_value(schema, default))


def _variables() -> Iterable[str]:
    yield from _heading("variable", "value", "default", "meaning")
    keys = {field.upper() for field in FIELDS_BY_KEY.values()}
    for name, schema in AllVariables.schemas().items():
        if name not in keys:
            yield _row(_code(name), *_value(schema, _default(schema)))


def _value(schema: JsonSchema, default: str) -> tuple[str, str, str]:
    expected = AllVariables.expected(schema).removeprefix("a ")
    return expected, default, schema["description"]


def _default(schema: JsonSchema) -> str:
    default: Any = schema["default"]
    if default is None or default in ("", [], {}):
        return "none"
    if isinstance(default, bool):
        return "off" if default is False else "on"
    if isinstance(default, int):
        return str(default)
    return _code(default if isinstance(default, str) else ",".join(default))


def _heading(*cells: str) -> tuple[str, str]:
    return _row(*cells), "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text}`"


if __name__ == "__main__":
    with until_nobody_reads():
        sys.stdout.write(settings_page())
