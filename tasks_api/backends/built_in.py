"""The adapters for Django's own two backends, neither of which keeps a result for other processes."""

import re
import threading
from datetime import UTC, datetime
from traceback import format_exception
from typing import Any

from django.tasks import Task
from django.tasks.backends.dummy import DummyBackend
from django.tasks.backends.immediate import ImmediateBackend
from django.utils.crypto import get_random_string

from tasks_api.backends.base import Failure, StoredTask
from tasks_api.backends.generic import Adapter

_ID_LENGTH = 32
_ID = re.compile(rf"[a-zA-Z0-9]{{{_ID_LENGTH}}}")


class BuiltInAdapter(Adapter):
    """Knows the form of the ids that both draw."""

    def draws(self, identifier: str) -> bool:
        # A subclass may have ids of its own.
        is_known = type(self.backend) in {DummyBackend, ImmediateBackend}
        return not is_known or _ID.fullmatch(identifier) is not None


class ImmediateAdapter(BuiltInAdapter):
    """Enqueues what has run by then, whatever it raised."""

    def enqueue(
        self, task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any], *, owner: int
    ) -> StoredTask:
        started_at = datetime.now(UTC)
        try:
            return super().enqueue(task, args, kwargs, owner=owner)
        except KeyboardInterrupt as error:
            # The one exception that the backend lets out. Ctrl-C raises it in the main thread; in
            # another, the task has, and the process would stop for it.
            if threading.current_thread() is threading.main_thread():
                raise
            return self._interrupted(task, args, kwargs, started_at, error)

    def _interrupted(
        self,
        task: "Task[..., Any]",
        args: list[Any],
        kwargs: dict[str, Any],
        started_at: datetime,
        error: BaseException,
    ) -> StoredTask:
        return StoredTask(
            id=get_random_string(_ID_LENGTH),
            task_path=task.module_path,
            status="FAILED",
            args=args,
            kwargs=kwargs,
            queue_name=task.queue_name,
            priority=task.priority,
            run_after=None,
            backend=self.backend.alias,
            enqueued_at=started_at,
            started_at=started_at,
            last_attempted_at=started_at,
            finished_at=datetime.now(UTC),
            worker_ids=[self.backend.worker_id],  # type: ignore[attr-defined]
            return_value=None,
            errors=[
                Failure(
                    exception_class_path=f"builtins.{type(error).__qualname__}",
                    traceback="".join(format_exception(error)),
                )
            ],
        )
