from django.apps import AppConfig


class NotesConfig(AppConfig):
    """An optional app: a call may carry a note, which its task shows, lists and resources find."""

    name = "tests.project.notes"
    label = "notes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.project.notes import places  # noqa: F401, PLC0415 -- takes them
