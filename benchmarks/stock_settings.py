"""The service's settings as django-tasks-db's own worker runs best: a connection that is kept."""

from service.settings import *  # noqa: F403
from service.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["OPTIONS"].pop("pool", None)
