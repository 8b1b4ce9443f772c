"""
The URLs of the app: `path("api/", include("tasks_api.urls"))`, or at the root.

Each resource answers with and without its trailing slash, without a redirect, which would lose a
POST's body. The form with the slash has the name; the other stays out of the OpenAPI document.
The last pattern answers 404 for every other URL under the prefix: include the app last.
"""

from typing import Any

from django.urls import URLPattern, path, re_path

from tasks_api.http.views.client import ClientView
from tasks_api.http.views.documents import OpenAPIJSON, OpenAPIYAML, ProblemsPage, SwaggerUI
from tasks_api.http.views.health import Livez, Readyz
from tasks_api.http.views.queues import QueueViewSet
from tasks_api.http.views.resource import Resource
from tasks_api.http.views.root import NoResource, Root
from tasks_api.http.views.task_types import TaskTypeViewSet
from tasks_api.http.views.tasks import TaskViewSet
from tasks_api.http.views.workers import WorkerViewSet

app_name = "tasks_api"


def both(route: str, name: str, view: type[Resource], *actions: dict[str, str]) -> list[URLPattern]:
    """Route a resource by its canonical form and by the form without the slash."""
    unlisted: Any = view.as_view(*actions, schema=None)
    return [path(f"{route}/", view.as_view(*actions), name=name), path(route, unlisted)]


urlpatterns = [
    path("", Root.as_view(), name="root"),
    *both("task-types", "task-types", TaskTypeViewSet, {"get": "list"}),
    *both("task-types/<str:name>", "task-type", TaskTypeViewSet, {"get": "retrieve"}),
    *both("tasks", "tasks", TaskViewSet, {"get": "list", "post": "create"}),
    *both("tasks/batch", "batch", TaskViewSet, {"post": "create_batch"}),
    *both("tasks/<str:task_id>", "task", TaskViewSet, {"get": "retrieve"}),
    *both("tasks/<str:task_id>/cancel", "cancel", TaskViewSet, {"post": "cancel"}),
    *both("tasks/<str:task_id>/retry", "retry", TaskViewSet, {"post": "retry"}),
    *both("queues", "queues", QueueViewSet, {"get": "list"}),
    # A queue may have a slash in its name, and a server has decoded it by now.
    *both("queues/<path:name>", "queue", QueueViewSet, {"get": "retrieve"}),
    *both("workers", "workers", WorkerViewSet, {"get": "list"}),
    *both("client", "client", ClientView),
    *both("docs", "docs", SwaggerUI),
    *both("problems", "problems", ProblemsPage),
    path("openapi.yaml", OpenAPIYAML.as_view(), name="openapi-yaml"),
    path("openapi.json", OpenAPIJSON.as_view(), name="openapi-json"),
    path("livez", Livez.as_view(), name="livez"),
    path("readyz", Readyz.as_view(), name="readyz"),
    re_path("", NoResource.as_view()),
]
