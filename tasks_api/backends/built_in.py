"""The adapter for Django's own two backends, which keep no results for other processes."""

import re
import threading

from django.tasks.backends.dummy import DummyBackend
from django.tasks.backends.immediate import ImmediateBackend

from tasks_api.backends.base import Call, StoredTask
from tasks_api.backends.generic import Adapter

_ID = re.compile(r"[a-zA-Z0-9]{32}")


class BuiltInAdapter(Adapter):
    """Knows the form of the ids that both generate, and the one exception that a task can let out."""

    def enqueue(self, call: Call) -> StoredTask:
        try:
            return super().enqueue(call)
        except KeyboardInterrupt as error:
            # ImmediateBackend lets it pass for Ctrl-C, which arrives in the main thread. In another
            # thread the task has raised it, and the web process would end.
            if threading.current_thread() is threading.main_thread():
                raise
            raise RuntimeError("The task raised KeyboardInterrupt.") from error

    def may_have_issued(self, identifier: str) -> bool:
        # A subclass may have ids of its own.
        is_known = type(self.backend) in {DummyBackend, ImmediateBackend}
        return not is_known or _ID.fullmatch(identifier) is not None
