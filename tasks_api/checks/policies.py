"""Checks of policies: those at functions, and those in settings."""

import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pkgutil import resolve_name
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register
from django.tasks import Task

from tasks_api.calls.registry import registry
from tasks_api.conf import tasks_api_settings
from tasks_api.policies import NEVER, policies_said_at_functions, said_of
from tasks_api.policy_options import path_of


@register
def check_policies(**_: Any) -> list[CheckMessage]:
    """Report exceptions that there are not, and policies that do nothing."""
    return [*_wrong_exceptions(), *_retried_after_nothing(), *_at_no_task()]


def _wrong_exceptions() -> Iterator[CheckMessage]:
    said = {f"@policy at {path}": said for path, said in policies_said_at_functions().items()}
    for pattern, options in tasks_api_settings().policies.items():
        said[f"TASKS_API['POLICIES'][{pattern!r}]"] = options.said
    for where, options_said in said.items():
        for path in options_said.get("retry_on") or ():
            if reason := _wrong_with(path):
                yield Error(
                    f"{where} retries on {path}, which {reason}.",
                    hint="Name exceptions by the module and the class that define them.",
                    id="tasks_api.E011",
                )


def _wrong_with(path: str) -> str | None:
    """Say why an exception that is raised is never found under this path."""
    try:
        found = resolve_name(path)
    except Exception as error:
        # Whatever a module raises while it is imported.
        return f"cannot be imported: {error}"
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        return "is no exception"
    # A package often offers, under a shorter path, what one of its modules defines.
    return None if path_of(found) == path else f"is {path_of(found)}"


def _retried_after_nothing() -> Iterator[CheckMessage]:
    tasks = {name: _without_nones(said_of(name)) for name in sorted(registry.discovered)}
    yield from _of_one_attempt(tasks)
    for name, said in tasks.items():
        if said.get("max_attempts", 1) > 1 and NEVER.issuperset(said.get("retry_on", [""])):
            yield Warning(
                f"The policy of {name} allows {said['max_attempts']} attempts, but its retry_on names "
                "nothing after which there is another one.",
                hint="Leave retry_on out, to retry on whatever the task raises. Tasks that were cancelled or "
                "have expired are never tried again.",
                id="tasks_api.W007",
            )


def _of_one_attempt(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[CheckMessage]:
    """Report what is said of other attempts where no task that it is said of has any."""
    places = [
        (f"@policy at {path}", path, said) for path, said in policies_said_at_functions().items()
    ]
    for pattern, options in tasks_api_settings().policies.items():
        places.append((f"TASKS_API['POLICIES'][{pattern!r}]", pattern, options.said))
    for where, pattern, said in places:
        # A pattern of many tasks may say for all of them what counts for those that are tried again.
        found = [task for name, task in tasks.items() if fnmatchcase(name, pattern)]
        useless = sorted({"backoff", "retry_on"} & _without_nones(said).keys())
        if useless and found and not any("max_attempts" in task for task in found):
            yield Warning(
                f"{where} has {' and '.join(useless)}, but allows one attempt.",
                hint="Say max_attempts as well.",
                id="tasks_api.W007",
            )


def _without_nones(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value is not None}


def _at_no_task() -> Iterator[CheckMessage]:
    for path in policies_said_at_functions():
        module, _, name = path.rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
        # What has another name, or was replaced, is none of our business.
        if callable(found) and not isinstance(found, Task):
            yield Warning(
                f"@policy at {path} applies to nothing: that is no task.",
                hint="Put @task above @policy, as the last decorator.",
                id="tasks_api.W008",
            )
