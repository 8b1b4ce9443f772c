"""
The places of resources: an optional app adds its own before the URLs are built.

    class SchedulesConfig(AppConfig):
        def ready(self):
            from tasks_api.contrib.schedules.views import ScheduleViewSet

            register_route(Route("schedules", "schedules", ScheduleViewSet, {"get": "list"}, link="schedules"))

The views are subclasses of `tasks_api.http.views.resource.Resource`, and their methods operations: with
that they are authenticated, documented and linked to like the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, path


@dataclass(frozen=True, slots=True)
class Route:
    """
    A path, and the view that serves it.

    Attributes:
        path: without slashes at its ends, with converters as Django has them: `tasks/<str:task_id>`.
        name: what the URL is reversed by, within the namespace `tasks_api`.
        view: a subclass of `Resource`.
        actions: of a view set, its method for each method of HTTP in lower case.
        link: the member of `GET /` that links to it; None for a path that is not linked to.

    """

    path: str
    name: str
    view: type[Any]
    actions: Mapping[str, str] | None = None
    link: str | None = None

    @property
    def patterns(self) -> list[URLPattern]:
        """
        The canonical form, and the form without the slash.

        The one with the slash has the name; the other stays out of the OpenAPI document.
        """
        actions = [dict(self.actions)] if self.actions else []
        unlisted: Any = self.view.as_view(*actions, schema=None)
        named: Any = self.view.as_view(*actions)
        return [path(f"{self.path}/", named, name=self.name), path(self.path, unlisted)]


_registered: list[Route] = []


def register_route(route: Route) -> None:
    """Serve one more resource; call it in `AppConfig.ready()`."""
    _registered.append(route)


def registered_routes() -> tuple[Route, ...]:
    """Return what optional apps have registered."""
    return tuple(_registered)
