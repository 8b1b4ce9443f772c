"""What `run` prints when the service is ready."""

import json
import shlex
import time
from collections.abc import Sequence
from datetime import UTC
from http.client import HTTPConnection, HTTPException
from typing import Any

from service.demo_key import DemoKey
from service.listening import Listening

SAMPLE_TASK = "service.tasks.say_hello"


def wait_until_ready(listening: Listening) -> None:
    """Wait until the service says that it is ready."""
    while True:
        connection = HTTPConnection(listening.host, listening.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass  # Not yet.
        finally:
            connection.close()
        time.sleep(0.1)


def sample_call() -> dict[str, Any] | None:
    """Return the call of a task that is exposed, the sample if it is; the settings must be loaded."""
    from tasks_api.calls.registry import registry  # noqa: PLC0415 -- needs the settings

    if SAMPLE_TASK in registry.task_types:
        return {"task": SAMPLE_TASK, "kwargs": {"name": "Ada"}}
    for name, task_type in registry.task_types.items():
        if (arguments := task_type.arguments.example) is not None:
            return {"task": name, **arguments}
    return None


def announcement(
    url: str,
    key: DemoKey,
    call: dict[str, Any] | None,
    own_tasks: Sequence[str],
    *,
    waits: bool,
) -> str:
    """
    Return the lines, with a curl command to paste; without a call, the one that lists the tasks.

    `waits` says whether the command waits for the result, which only a worker can produce.
    """
    authorization = ["-H", f"Authorization: Bearer {key.text}"]
    curl = ["curl", "-sS", *authorization]
    until = key.expires_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = ["", f"Ready, with documentation at {url}/docs/. The key is valid until {until}.", ""]
    if own_tasks:
        lines += ["Your tasks, which are reloaded when their files change:", ""]
        lines += [*(f"    {name}" for name in own_tasks), ""]
    if call is None:
        return "\n".join(
            [*lines, "List the tasks:", "", shlex.join([*curl, f"{url}/task-types/"]), "", ""]
        )
    headers = ["-H", "Content-Type: application/json"]
    what = "Enqueue a task:"
    if waits:
        headers += ["-H", "Prefer: wait=10"]
        what = "Enqueue a task, and wait for its result:"
    enqueue = shlex.join([*curl, f"{url}/tasks/", *headers, "-d", json.dumps(call)])
    return "\n".join([*lines, what, "", enqueue, "", ""])
