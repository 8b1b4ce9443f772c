"""
The routes of resources; an optional app registers its own before the URLs are built.

    class SchedulesConfig(AppConfig):
        def ready(self):
            from tasks_api.contrib.schedules.views import ScheduleViewSet

            register_route(Route("schedules", "schedules", ScheduleViewSet, {"get": "list"}, link="schedules"))

The views are subclasses of `tasks_api.http.views.resource.Resource`, and their methods are operations, so
that they are authenticated, documented and linked to like the others. They take Django's request and return
`tasks_api.http.protocol.responses.json_response(…)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, path

from tasks_api.registered import Registered


@dataclass(frozen=True, slots=True)
class Route:
    """
    A path, and the view that serves it.

    Attributes:
        path: without leading and trailing slashes, with Django's converters: `tasks/<str:task_id>`.
        name: the name to reverse the URL by, within the namespace `tasks_api`.
        view: a subclass of `Resource`.
        actions: for a view set, its method for each HTTP method in lower case.
        link: the member of `GET /` that links to it; None for no link.

    """

    path: str
    name: str
    view: type[Any]
    actions: Mapping[str, str] | None = None
    link: str | None = None

    @property
    def patterns(self) -> list[URLPattern]:
        """
        The patterns of the path with and without a trailing slash.

        The one with the slash has the name; the other is not in the OpenAPI document.
        """
        actions = [dict(self.actions)] if self.actions else []
        unlisted: Any = self.view.as_view(*actions, schema=None)
        named: Any = self.view.as_view(*actions)
        return [path(f"{self.path}/", named, name=self.name), path(self.path, unlisted)]


_registered: Registered[Route] = Registered("route")


def register_route(route: Route) -> None:
    """Add a resource; call this in `AppConfig.ready()`."""
    _registered.add(route.name, route)


def registered_routes() -> tuple[Route, ...]:
    """Return the routes that optional apps have registered."""
    return tuple(_registered.values())
