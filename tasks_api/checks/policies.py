"""Checks of policies: those at functions, and those in settings."""

import sys
from collections.abc import Iterator
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
    for name in sorted(registry.discovered):
        said = {key: value for key, value in said_of(name).items() if value is not None}
        if "max_attempts" not in said:
            if useless := sorted({"backoff", "retry_on"} & said.keys()):
                yield Warning(
                    f"The policy of {name} has {' and '.join(useless)}, but allows one attempt.",
                    hint="Say max_attempts as well.",
                    id="tasks_api.W007",
                )
        elif said["max_attempts"] > 1 and NEVER.issuperset(said.get("retry_on", [""])):
            yield Warning(
                f"The policy of {name} allows {said['max_attempts']} attempts, but its retry_on names "
                "nothing after which there is another one.",
                hint="Leave retry_on out, to retry on whatever the task raises. Tasks that were cancelled or "
                "have expired are never tried again.",
                id="tasks_api.W007",
            )


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
