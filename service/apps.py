from django.apps import AppConfig


class ServiceConfig(AppConfig):
    """Registers the service's own system checks."""

    name = "service"

    def ready(self) -> None:
        from service import checks  # noqa: F401, PLC0415 -- registers them
