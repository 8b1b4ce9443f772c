"""gunicorn's configuration: `gunicorn -c service/gunicorn.conf.py service.wsgi`."""

import os
import select
from typing import Any

from gunicorn.workers import SUPPORTED_WORKERS

from service.gunicorn_worker import access_log
from service.gunicorn_worker.shares import forget
from service.listening import Listening
from service.misconfiguration import exit_on_misconfiguration

with exit_on_misconfiguration():
    from service import settings

    listening = Listening.from_environment()

bind = listening.address
# For development on systems without epoll, such as macOS, gunicorn's own will do.
worker_class = (
    "service.gunicorn_worker.worker.ThreadWorker" if hasattr(select, "epoll") else "gthread"
)
# `-k asgi`, for service.asgi, has the same limits.
SUPPORTED_WORKERS["asgi"] = "service.gunicorn_worker.asgi.ASGIWorker"
workers = listening.processes
threads = listening.threads
worker_connections = listening.connections

# In seconds: longer than a request may wait for its task.
graceful_timeout = 35
# Idle connections occupy no thread. Longer than the 60 s after which proxies commonly close their
# connections: if the server closes first, a request can fail.
keepalive = 65
# For the URL of a page with a hundred ids; gunicorn's default is half of what proxies allow.
limit_request_line = 8190

# The only header that says the scheme, and only from a proxy in FORWARDED_ALLOW_IPS.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
# The system would wait for slow clients by itself.
sendfile = False
# No header may set the prefix of the app, because URLs in answers would contain it.
forwarder_headers = ""

# The file for heartbeats: on a disk, updating it can block a process.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
# Do not create a control socket in the home directory.
control_socket_disable = True

# The path without the query, which may contain data that must not be logged.
access_log_format = access_log.FORMAT
logger_class = access_log.AccessLogger


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a process that was killed could not say."""
    forget(worker.age)


logconfig_dict = {
    **settings.LOGGING,
    "loggers": {
        **settings.LOGGING["loggers"],
        "gunicorn.error": {"handlers": [], "propagate": True},
        "gunicorn.access": {"handlers": [], "propagate": True},
    },
}
