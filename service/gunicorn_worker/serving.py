"""A request in the thread that serves it: gunicorn's part of the threaded worker, for plain HTTP/1.1 alone."""

import errno
from collections.abc import Callable
from typing import Any

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.workers import gthread

from service.gunicorn_worker import limits, refusals
from service.gunicorn_worker.answers import Answer
from service.gunicorn_worker.exchanges import Exchange
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
        """
        Serve the next request, or go on with the one that was held; return whether another one may follow.

        If the request is held, the connection has an `exchange` afterwards.
        """
        # Not in a context of its own: Django keeps what it opens in the thread's, such as caches.
        exchange, conn.exchange = conn.exchange, None
        request: Any = None if exchange is None else exchange.request
        try:
            if exchange is None:
                request = next(conn.parser)
                keeps = self.handle_request(request, conn)
            else:
                answer = Answer(request, conn.sock, self.cfg)
                keeps = self._answer(exchange, conn, answer, exchange.proceed)
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
        self.cfg.pre_request(self, req)
        answer: Any
        environ: Any
        answer, environ = wsgi.create(
            req, conn.sock, conn.client, conn.server, self.cfg, response_class=Answer
        )
        environ["wsgi.multithread"] = True
        self._count_request()
        exchange = Exchange(req, environ)
        return self._answer(exchange, conn, answer, exchange.begin)

    def _answer(
        self,
        exchange: Exchange,
        conn: Any,
        answer: Answer,
        send: Callable[[Any, Answer], None],
    ) -> bool:
        if not self.alive or not self.cfg.keepalive:
            answer.force_close()
        try:
            send(self.wsgi, answer)
            if exchange.hold is not None:
                conn.exchange = exchange
                return True
            return not exchange.answer.should_close()
        except OSError:
            raise
        except Exception:
            if not exchange.answer.headers_sent:
                raise
            # Nothing else can be answered any more.
            self.log.exception("Error handling request")
            return False
        finally:
            if conn.exchange is None:
                self.end(exchange)

    def give_up(self, exchange: Exchange) -> None:
        """End a request that was held, whose client has gone."""
        current_request_id.set(exchange.request_id)
        self.end(exchange)
        current_request_id.set("-")

    def end(self, exchange: Exchange) -> None:
        """Log a request that was answered, or whose client has gone."""
        answer, request, environ = exchange.answer, exchange.request, exchange.environ
        if answer.status is not None:
            self.log.access(answer, request, environ, exchange.duration)
        try:
            self.cfg.post_request(self, request, environ, answer)
        except Exception:
            self.log.exception("Exception in post_request hook")

    def _count_request(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        if refused := refusals.refusal_of(exc):
            refusals.send(refused, client, addr)
        else:
            refusals.send_internal_error(req, client, exc)
