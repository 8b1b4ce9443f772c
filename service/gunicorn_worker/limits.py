"""How long the web processes wait for one client, and how much they accept from it."""

import errno
import logging
import time

from gunicorn.config import Config

logger = logging.getLogger("gunicorn.error")

NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""The errors of `accept` that mean that this process, or the system, has no room."""

LIMITED_SECONDS = 60
"""For how long a process accepts fewer connections after it had no room."""

HEAD_SECONDS = 30
"""For the whole head of a request, and before it for what is left of the body that was not read."""

BODY_SECONDS = 1
"""How long a short body may take before its request is left to one of the few threads that wait."""

UNUSED_SECONDS = 1
"""For how long nothing must have come on a connection that is closed because the process ends."""

MAX_AWAITED_BYTES = 64 * 1024
"""The length of a short body."""

PATIENCE_SECONDS = 30
"""How long the server waits for a client altogether, in the middle of a request and its answer."""

LEAST_BYTES_PER_SECOND = 16 * 1024
"""Time in which a client sends or receives at this rate is not counted as waiting."""

LINGER_SECONDS = 2
"""How long a closed connection is still read, so that the client gets the answer (RFC 9112, 9.6)."""

MAX_HEAD_BYTES = 64 * 1024

MAX_UNREAD_BYTES = 64 * 1024
"""How much of a body that was refused unread is skipped; a longer one closes the connection."""

MAX_CHUNK_LINE_BYTES = 1024
"""The size of a chunk, with its extensions."""

MAX_TRAILER_BYTES = 8 * 1024
"""All trailers of a body."""

MAX_CHUNK_OVERHEAD_BYTES = 16 * 1024
"""How far chunk headers may exceed twice the length of the content, after 16 bytes for each chunk."""


def check_plain_http(cfg: Config) -> None:
    """
    Check that gunicorn is to speak plain HTTP/1.1, for which the limits are.

    Raises:
        RuntimeError: it is not; gunicorn prints the text and exits.

    """
    is_plain = cfg.protocol == "http" and cfg.proxy_protocol == "off" and not cfg.is_ssl
    if not is_plain or cfg.http2_cleartext != "off":
        raise RuntimeError(
            "The service speaks plain HTTP/1.1: certfile, keyfile, protocol, proxy_protocol and "
            "http2_cleartext cannot be set. Put a proxy with TLS in front."
        )


def most_held(cfg: Config) -> int:
    """Return how many connections are held at most, which are not closed to make room for others."""
    connections: int = cfg.worker_connections
    return connections * 3 // 4


class Shortage:
    """Reports missing file descriptors, at most once a minute."""

    message = (
        "No file descriptor is left for a new connection; the oldest idle ones are closed. "
        "Raise RLIMIT_NOFILE (ulimit -n)."
    )

    def __init__(self) -> None:
        self._next = 0.0

    def report(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 60
            logger.error(self.message)


class Overload(Shortage):
    """Reports that threads are needed for all connections, at most once a minute."""

    message = (
        "All connections that this process may have are waiting for a thread; new ones are closed, "
        "except for /livez. Raise WEB_THREADS or WEB_CONCURRENCY."
    )
