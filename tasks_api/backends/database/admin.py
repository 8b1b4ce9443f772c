"""django-tasks-db's page of tasks in Django's admin, for rows whose task no longer exists."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult


class TaskAdmin(DBTaskResultAdmin):
    """
    Shows the dotted path of each task, as the row has it.

    The package's own list imports the task and configures it, which fails for the whole page if
    the queue or the backend of one row is not configured any more, or its module raises.
    """

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        columns = super().get_list_display(request)
        return tuple("task_path" if column == "task_name" else column for column in columns)


def replace_page() -> None:
    """Register the page, unless the project has one of its own."""
    registered = admin.site._registry.get(DBTaskResult)
    if type(registered) is DBTaskResultAdmin:
        admin.site.unregister(DBTaskResult)
        admin.site.register(DBTaskResult, TaskAdmin)
