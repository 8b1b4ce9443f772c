"""`--reload`: replaces a child when code that it has loaded changes on the disk."""

import threading
from collections.abc import Callable

from django.utils import autoreload


def call_when_code_changes(stop: Callable[[], None]) -> None:
    """Watch every loaded module from a thread, as `runserver` does."""
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()


def _watch(stop: Callable[[], None]) -> None:
    try:
        autoreload.get_reloader().run(threading.main_thread())
    except SystemExit:
        # How Django's reloader says that a file changed.
        stop()
