"""Where the web processes listen, their number, and what each of them can bear."""

import resource
import socket
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from service.environment import DEFAULT_HOST, Environment, read_environment

MAX_CONNECTIONS = 1000
"""Of clients, for each web process, besides those that wait; fewer where RLIMIT_NOFILE is low."""

FILES_OF_THREAD = 6
"""A connection of SQLite has three files, and each thread may have one. Some threads are extra."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """gunicorn's address and processes, and the threads and connections of each."""

    host: str
    port: int
    processes: int
    threads: int
    connections: int

    @classmethod
    def from_environment(cls) -> "Listening":
        """
        Read `HOST`, `PORT`, `WEB_CONCURRENCY` and `WEB_THREADS`.

        Raises:
            ImproperlyConfigured: one of them, or any other variable, has a wrong value.

        """
        environment = read_environment()
        host = (environment.host or DEFAULT_HOST).strip("[]")
        _check_host(host)
        return cls(
            host=host,
            port=environment.port,
            processes=environment.web_concurrency,
            threads=environment.web_threads,
            connections=_connections(environment),
        )

    @property
    def address(self) -> str:
        """Host and port as in a URL (RFC 3986), with an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def check_port_is_free(self) -> None:
        """
        Try to bind the address, because gunicorn would retry for five seconds and say less.

        Raises:
            ImproperlyConfigured: nothing can listen there.

        """
        family, *_, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            # Like gunicorn: connections of a stopped server in TIME_WAIT do not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise ImproperlyConfigured(
                    f"Cannot listen on {self.address}: {error.strerror}. "
                    "Set PORT to use another port."
                ) from error


def _connections(environment: Environment) -> int:
    """Return how many connections of clients leave room for the files of the process itself."""
    threads = environment.web_threads
    most: int = MAX_CONNECTIONS + environment.tasks_api["MAX_WAITING"]
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return most
    own = 64 + FILES_OF_THREAD * threads + environment.database_pool_size
    return min(most, max(limit - own, 2 * threads))


def _check_host(host: str) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        raise ImproperlyConfigured(f"HOST {host!r} is not an address of this machine.") from error
