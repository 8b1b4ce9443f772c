"""A task as django-tasks-db stores it."""

from typing import Any

from django_tasks_db.models import DBTaskResult

type TaskRow = DBTaskResult[Any, Any]
