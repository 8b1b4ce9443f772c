"""The worker class for ASGI: gunicorn's, with the limits of the threaded one."""

import asyncio
from typing import Any

from gunicorn.config import Config
from gunicorn.workers import gasgi

from service.gunicorn_worker import limits
from service.gunicorn_worker.asgi_protocol import Protocol


class ASGIWorker(gasgi.ASGIWorker):
    """gunicorn's worker for ASGI, with connections of the class `Protocol`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The one that has waited for its client longest first.
        self.connections: dict[Protocol, None] = {}
        self._shortage = limits.Shortage()

    @classmethod
    def check_config(cls, cfg: Config, log: Any) -> None:
        limits.check_plain_http(cfg)

    async def _serve(self) -> None:
        # gunicorn names the class of connections in the middle of what follows.
        gasgi.ASGIProtocol = Protocol
        asyncio.get_running_loop().set_exception_handler(self._on_exception)
        # Django's apps are loaded by now; this module is imported before.
        from tasks_api.http.holding.places import places  # noqa: PLC0415
        from tasks_api.results.waiting import poller  # noqa: PLC0415

        self._end_waits = poller.stop
        places.limit = limits.most_held(self.cfg)
        watch = asyncio.create_task(self._watch_connections())
        try:
            await super()._serve()
        finally:
            watch.cancel()

    async def _watch_connections(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if not self.alive:
                self._end_waits()
            for connection in list(self.connections):
                connection.check_deadlines()
                if connection.is_idle and not self.alive:
                    connection.abort()

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in limits.NO_DESCRIPTORS:
            loop.default_exception_handler(context)
            return
        # asyncio tries again in a second.
        self._shortage.report()
        idle = [connection for connection in self.connections if connection.is_idle]
        for connection in idle[: max(1, len(idle) // 4)]:
            connection.abort()
