"""Where the web processes listen, and their number."""

import socket
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from service.environment import DEFAULT_HOST, read_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """gunicorn's address, processes and threads."""

    host: str
    port: int
    processes: int
    threads: int

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


def _check_host(host: str) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        raise ImproperlyConfigured(f"HOST {host!r} is not an address of this machine.") from error
