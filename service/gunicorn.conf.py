"""How gunicorn serves: `gunicorn -c service/gunicorn.conf.py service.wsgi`."""

import os

from service.listening import Listening
from service.misconfiguration import exit_on_misconfiguration

with exit_on_misconfiguration():
    from service import settings

    listening = Listening.from_environment()

bind = listening.address
worker_class = "service.gunicorn_worker.worker.ThreadWorker"
workers = listening.processes
threads = listening.threads

# Longer than a request may wait for its task, in seconds.
graceful_timeout = 35
# A connection that rests occupies no thread. Longer than the 60 s after which proxies commonly let
# go of theirs: a server that closes first makes a request fail now and then.
keepalive = 65
# A page's URL with a hundred ids; gunicorn's own limit is half of what proxies let through.
limit_request_line = 8190

# No header may say where the app is mounted, whoever sends it: the URLs in answers would follow.
forwarder_headers = ""

# The heartbeat's file: on a disk, touching it can block a process.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
# No socket in the home directory through which the server could be managed.
control_socket_disable = True

# The path without the query, which may hold what has no place in a log.
access_log_format = '%(h)s "%(m)s %(U)s %(H)s" %(s)s %(B)s %(M)sms'
logconfig_dict = {
    **settings.LOGGING,
    "loggers": {
        **settings.LOGGING["loggers"],
        "gunicorn.error": {"handlers": [], "propagate": True},
        "gunicorn.access": {"handlers": [], "propagate": True},
    },
}
