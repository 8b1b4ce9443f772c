"""
The URLs of the app: `path("api/", include("tasks_api.urls"))`, or at the root.

Each resource answers with and without its trailing slash, without a redirect, which would lose a
POST's body. The last pattern answers 404 for every other URL under the prefix: include the app last.
"""

from django.urls import path, re_path

from tasks_api.http.routes import Route, registered_routes
from tasks_api.http.views.batch import BatchViewSet
from tasks_api.http.views.client import ClientView
from tasks_api.http.views.documents import OpenAPIJSON, OpenAPIYAML, ProblemsPage, SwaggerUI
from tasks_api.http.views.events import TaskEventViewSet
from tasks_api.http.views.health import Livez, Readyz
from tasks_api.http.views.queues import QueueViewSet
from tasks_api.http.views.root import NoResource, Root
from tasks_api.http.views.task import TaskViewSet
from tasks_api.http.views.task_types import TaskTypeViewSet
from tasks_api.http.views.tasks import TaskListViewSet
from tasks_api.http.views.tokens import TaskTokenViewSet
from tasks_api.http.views.workers import WorkerViewSet

app_name = "tasks_api"

# Django tries one after the other: what is asked for most comes first.
ROUTES = (
    Route("tasks", "tasks", TaskListViewSet, {"get": "list", "post": "create"}),
    Route("tasks/batch", "batch", BatchViewSet, {"post": "create"}),
    Route("tasks/<str:task_id>", "task", TaskViewSet, {"get": "retrieve"}),
    Route("tasks/<str:task_id>/cancel", "cancel", TaskViewSet, {"post": "cancel"}),
    Route("tasks/<str:task_id>/retry", "retry", TaskViewSet, {"post": "retry"}),
    Route("tasks/<str:task_id>/events", "events", TaskEventViewSet, {"get": "list"}),
    Route("tasks/<str:task_id>/tokens", "tokens", TaskTokenViewSet, {"post": "create"}),
    Route("task-types", "task-types", TaskTypeViewSet, {"get": "list"}),
    Route("task-types/<str:name>", "task-type", TaskTypeViewSet, {"get": "retrieve"}),
    Route("queues", "queues", QueueViewSet, {"get": "list"}),
    # A queue's name may contain a slash, which the server has already decoded.
    Route("queues/<path:name>", "queue", QueueViewSet, {"get": "retrieve"}),
    Route("workers", "workers", WorkerViewSet, {"get": "list"}),
    Route("client", "client", ClientView),
    Route("docs", "docs", SwaggerUI),
    Route("problems", "problems", ProblemsPage),
)

urlpatterns = [
    path("", Root.as_view(), name="root"),
    path("livez", Livez.as_view(), name="livez"),
    path("readyz", Readyz.as_view(), name="readyz"),
    *(pattern for route in (*registered_routes(), *ROUTES) for pattern in route.patterns),
    path("openapi.yaml", OpenAPIYAML.as_view(), name="openapi-yaml"),
    path("openapi.json", OpenAPIJSON.as_view(), name="openapi-json"),
    re_path("", NoResource.as_view()),
]
