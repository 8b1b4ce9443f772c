"""A third party's task backend: it keeps results in files, under ids of its own."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception
from typing import Any

from django.tasks import TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskError
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string

MOMENTS = ("enqueued_at", "started_at", "last_attempted_at", "finished_at")


class FileBackend(BaseTaskBackend):
    """
    Stores a file for each task; it cannot defer, give priority, or run coroutines.

    `work()` is its worker.
    """

    supports_get_result = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.directory = Path(self.options.get("directory") or os.environ["TASKS_DIRECTORY"])

    def validate_task(self, task: Any) -> None:
        # Like many: laxer than the base, and with a rule of its own.
        if task.queue_name == "closed":
            raise InvalidTask("This queue is closed.")

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        self.validate_task(task)
        identifier = f"file:{get_random_string(8)}"
        stored = {
            "task": task.module_path,
            "args": args,
            "kwargs": kwargs,
            "status": "READY",
            "enqueued_at": _now(),
        }
        self.directory.joinpath(self._name(identifier)).write_text(json.dumps(stored))
        return self.get_result(identifier)

    def get_result(self, result_id: str) -> Any:
        if not result_id.startswith("file:"):
            raise TaskResultDoesNotExist(result_id)
        try:
            stored = json.loads((self.directory / self._name(result_id)).read_text())
        except FileNotFoundError:
            raise TaskResultDoesNotExist(result_id) from None
        result = TaskResult(
            id=result_id,
            task=import_string(stored["task"]),
            status=TaskResultStatus(stored["status"]),
            args=stored["args"],
            kwargs=stored["kwargs"],
            backend=self.alias,
            errors=[TaskError(**error) for error in stored.get("errors", [])],
            worker_ids=stored.get("worker_ids", []),
            **{name: _moment(stored.get(name)) for name in MOMENTS},
        )
        object.__setattr__(result, "_return_value", stored.get("return_value"))
        return result

    def work(self) -> None:
        """Run what is ready."""
        for path in self.directory.iterdir():
            stored = json.loads(path.read_text())
            if stored["status"] == "READY":
                started = _now()
                stored |= {"worker_ids": ["w1"], "started_at": started}
                stored |= {"last_attempted_at": started, "status": "SUCCESSFUL"}
                try:
                    function = import_string(stored["task"]).func
                    stored["return_value"] = function(*stored["args"], **stored["kwargs"])
                except Exception as error:
                    path_of_class = f"{type(error).__module__}.{type(error).__qualname__}"
                    text = "".join(format_exception(error))
                    entry = {"exception_class_path": path_of_class, "traceback": text}
                    stored |= {"status": "FAILED", "errors": [entry]}
                path.write_text(json.dumps({**stored, "finished_at": _now()}))

    @staticmethod
    def _name(identifier: str) -> str:
        return identifier.removeprefix("file:")


class PrioritizingFileBackend(FileBackend):
    """One that the service's sample tasks, which have priorities, can be declared for."""

    supports_priority = True


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
