"""Tasks that no client may call, and that therefore nothing imports but the process that runs them."""

import os
from pathlib import Path

from django.tasks import task

from tasks_api.policies import policy


@task
@policy(max_attempts=2, retry_on=["tasks_api.exceptions.WorkerLost"], backoff={"initial": 0})
def die_at_first(path: str) -> str:
    if Path(path).exists():
        return "second"
    Path(path).touch()
    os._exit(7)
