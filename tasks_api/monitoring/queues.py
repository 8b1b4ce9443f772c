"""The queues of all task backends, with their waiting and running tasks."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Annotated, TypedDict

from django.conf import settings
from pydantic import Field

from tasks_api.backends import QueueFigures, adapter_for, adapters
from tasks_api.calls.registry import registry
from tasks_api.conf import reset_when_settings_change
from tasks_api.faults import Fault
from tasks_api.monitoring.shared import Shared
from tasks_api.problems import InvalidRequest, NotFound, QueuesNotSupported


class QueueRepresentation(TypedDict):
    """One queue of a task backend, as it was some seconds ago."""

    name: str
    backend: Annotated[str, Field(description="Its alias in `TASKS`.", examples=["default"])]
    ready: Annotated[int, Field(description="Tasks that wait for a worker.")]
    deferred: Annotated[int, Field(description="Tasks that wait for their `run_after`.")]
    running: int
    oldest_ready_age_seconds: Annotated[
        float | None,
        Field(
            description=("How long the oldest ready task has been ready; null if none is ready.")
        ),
    ]


class QueueListRepresentation(TypedDict):
    """The queues, by name and backend."""

    results: list[QueueRepresentation]


def queues() -> list[QueueFigures]:
    """
    Return every queue of the backends that can count, by name and backend; some seconds old.

    Raises:
        QueuesNotSupported: 501, no backend can count.

    """
    if not _observable():
        raise QueuesNotSupported
    return _figures.get()


def queue_named(name: str, backend: str | None) -> QueueFigures:
    """
    Return one queue; `backend` is needed if several backends have a queue with this name.

    Raises:
        NotFound: 404, there is none.
        InvalidRequest: 400, there are several.
        QueuesNotSupported: 501, no backend can count.

    """
    found = [queue for queue in queues() if queue.name == name]
    if backend is not None:
        found = [queue for queue in found if queue.backend == backend]
    if not found:
        raise NotFound("There is no queue with this name.")
    if len(found) > 1:
        aliases = ", ".join(queue.backend for queue in found)
        detail = f"Should be present, because several backends have this queue: {aliases}."
        raise InvalidRequest(faults=[Fault("missing", detail, parameter="backend")])
    return found[0]


def represent_queue(queue: QueueFigures) -> QueueRepresentation:
    age = queue.oldest_ready_age_seconds
    return {
        "name": queue.name,
        "backend": queue.backend,
        "ready": queue.ready,
        "deferred": queue.deferred,
        "running": queue.running,
        "oldest_ready_age_seconds": None if age is None else round(age, 3),
    }


@reset_when_settings_change
def forget_figures() -> None:
    """Discard the figures, so that the next request counts again."""
    _figures.forget()


def _observable() -> list[str]:
    return [alias for alias in settings.TASKS if adapter_for(alias).is_observable]


def _count() -> list[QueueFigures]:
    aliases = _observable()
    figures = {key: QueueFigures(backend=key[0], name=key[1]) for key in _known(aliases)}
    for adapter in adapters():
        if adapter.is_observable:
            counted = adapter.count_queues()
            figures |= {(one.backend, one.name): one for one in counted if one.backend in aliases}
    return sorted(figures.values(), key=attrgetter("name", "backend"))


def _known(aliases: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the backend and the name of each queue in settings or task types."""
    for alias in aliases:
        for name in adapter_for(alias).backend.queues:
            yield alias, name
    for task_type in registry.task_types.values():
        if task_type.task.backend in aliases:
            yield task_type.task.backend, task_type.task.queue_name


_figures = Shared(_count)
