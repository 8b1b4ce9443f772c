import os

from django.apps import AppConfig


class ChoresConfig(AppConfig):
    """Registers chores where a test wants to see them done."""

    name = "tests.worker.chores_app"

    def ready(self) -> None:
        from tasks_api.worker.parent.chores import register_chore  # noqa: PLC0415
        from tests.worker.chores_app.chores import CHORES  # noqa: PLC0415

        if "CHORE_MARKS" in os.environ:
            for chore in CHORES:
                register_chore(chore)
