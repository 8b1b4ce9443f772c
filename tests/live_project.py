"""A Django project with the app in it, served by gunicorn as a process of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.live_service import LiveService


class LiveProject(LiveService):
    """
    `tests.project`, with the app under `/api/`; `files` is where its backend keeps tasks.

    Its client may read what belongs to the project.
    """

    management: ClassVar = "django"
    wsgi: ClassVar = "tests.project.wsgi"
    prefix: ClassVar = "/api"

    def __init__(
        self,
        database_url: str,
        *,
        directory: Path,
        env: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(database_url, directory=directory, env=env, key=key)
        self.files = directory / "files"
        self.files.mkdir()
        self.gunicorn_arguments = (
            f"--bind=127.0.0.1:{self.port}",
            "--workers=1",
            "--threads=8",
            "--worker-class=gthread",
            # Longer than a busy machine takes between two requests on one connection.
            "--keep-alive=65",
            "--no-control-socket",
        )
        self.environment |= {
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "TASKS_DIRECTORY": str(self.files),
            **(env or {}),
        }
