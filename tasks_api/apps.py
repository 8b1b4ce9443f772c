from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class TasksApiConfig(AppConfig):
    """Registers checks and receivers at start-up, and collects the tasks of all installed apps."""

    name = "tasks_api"
    verbose_name = "Tasks API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tasks_api import checks  # noqa: F401, PLC0415 -- registers them
        from tasks_api.backends.database.connections import (  # noqa: PLC0415
            close_useless_connections,
            make_bounded,
        )
        from tasks_api.backends.database.indexes import ensure_indexes  # noqa: PLC0415
        from tasks_api.calls.registry import registry  # noqa: PLC0415
        from tasks_api.conf import tasks_api_settings  # noqa: PLC0415
        from tasks_api.worker.parent.chores import register_chore  # noqa: PLC0415
        from tasks_api.worker.parent.pruning import PRUNE  # noqa: PLC0415

        # Wrong settings stop the process at its start, not at its first request.
        tasks_api_settings()
        registry.discover()
        register_chore(PRUNE)
        connection_created.connect(make_bounded)
        request_started.connect(close_useless_connections)
        # Sent for each app when the migrations of all apps are done.
        post_migrate.connect(ensure_indexes, sender=self)
