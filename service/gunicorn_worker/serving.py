"""A request in the thread that serves it: gunicorn's part of the threaded worker, for plain HTTP/1.1 alone."""

import errno
import time
from datetime import timedelta
from typing import Any

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.workers import gthread

from service.gunicorn_worker import limits, refusals
from service.gunicorn_worker.answers import Answer
from tasks_api.logs import current_request_id

_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}
"""The errors of a connection whose client has gone, or was too slow."""


class FixedConfig:
    """gunicorn's configuration, each value of which is looked up once: a request asks for more than twenty."""

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._cfg, name)
        setattr(self, name, value)
        return value


class ServingWorker(gthread.ThreadWorker):
    """gunicorn's threaded worker, as far as it serves requests, with answers of the class `Answer`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cfg: Any = FixedConfig(self.cfg)

    @classmethod
    def check_config(cls, cfg: Config, log: Any) -> None:
        limits.check_plain_http(cfg)

    def handle(self, conn: Any) -> bool:
        """Serve the next request, and return whether another one may follow on the connection."""
        # Not in a context of its own: Django keeps what it opens in the thread's, such as caches.
        request = None
        try:
            request = next(conn.parser)
            keeps = self.handle_request(request, conn)
            return keeps and not conn.sock.is_broken and request.unread is not None
        except (NoMoreData, StopIteration) as error:
            self.log.debug("A connection ends. %s", error)
        except OSError as error:
            if error.errno not in _GONE:
                self.log.exception("Socket error processing request.")
        except Exception as error:
            self.handle_error(request, conn.sock, conn.client, error)
        finally:
            # What the thread does next is about another connection.
            current_request_id.set("-")
        return False

    def handle_request(self, req: Any, conn: Any) -> bool:
        environ: Any = {}
        answer: Any = None
        try:
            self.cfg.pre_request(self, req)
            started = time.monotonic()
            answer, environ = wsgi.create(
                req, conn.sock, conn.client, conn.server, self.cfg, response_class=Answer
            )
            environ["wsgi.multithread"] = True
            self._count_request()
            if not self.alive or not self.cfg.keepalive:
                answer.force_close()
            self._send(req, answer, environ, started)
            return not answer.should_close()
        except OSError:
            raise
        except Exception:
            if answer is None or not answer.headers_sent:
                raise
            # Nothing else can be answered any more.
            self.log.exception("Error handling request")
            return False
        finally:
            try:
                self.cfg.post_request(self, req, environ, answer)
            except Exception:
                self.log.exception("Exception in post_request hook")

    def _count_request(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def _send(self, request: Any, answer: Any, environ: Any, started: float) -> None:
        body = self.wsgi(environ, answer.start_response)
        try:
            for piece in body:
                answer.write(piece)
            answer.close()
        finally:
            duration = timedelta(seconds=time.monotonic() - started)
            self.log.access(answer, request, environ, duration)
            if hasattr(body, "close"):
                body.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        if refused := refusals.refusal_of(exc):
            refusals.send(refused, client, addr)
        else:
            refusals.send_internal_error(req, client, exc)
