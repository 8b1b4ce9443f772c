"""The service's settings with values for tests; the database is the one that `--db` chose."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-which-everybody-may-read")

from service.settings import *  # noqa: F403
from service.settings import DATABASES, INSTALLED_APPS, TASKS_API

INSTALLED_APPS = [*INSTALLED_APPS, "tests"]
TASKS_API = {**TASKS_API, "TASKS": ["service.tasks.*", "tests.tasks.*"]}

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file: threads share no database in memory.
    DATABASES["default"]["TEST"] = {"NAME": f"{DATABASES['default']['NAME']}.test"}
