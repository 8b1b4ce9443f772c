"""The service's settings, with the tests' own tasks and times that a test can wait for."""

import os

from service.settings import *  # noqa: F403
from service.settings import INSTALLED_APPS, TASKS_API

INSTALLED_APPS = [*INSTALLED_APPS, "tests.worker", "tests.worker.chores_app"]
TASKS_API = {
    **TASKS_API,
    "TASKS": ["tests.worker.tasks.*"],
    "LOST_AFTER_SECONDS": int(os.environ.get("LOST_AFTER_SECONDS", "30")),
    "MAX_RESULT_BYTES": 10_000,
    "REQUEUE_WHEN_LOST": ["tests.worker.tasks.safe_*"],
}
TIME_ZONE = "UTC"
