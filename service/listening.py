"""Where the web processes listen, and how many there are."""

import socket
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from service.environment import DEFAULT_HOST, read_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What gunicorn is told: an address, and threads in processes."""

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
        """Host and port as in a URL (RFC 3986): an IPv6 address stands in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def refuse_a_taken_port(self) -> None:
        """
        Try the address out, since gunicorn would try for five seconds and say less.

        Raises:
            ImproperlyConfigured: nothing can listen there.

        """
        family, *_, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            # As gunicorn does: what a stopped server left in TIME_WAIT is no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise ImproperlyConfigured(
                    f"Cannot listen on {self.address}: {error.strerror}. "
                    "Another port can be chosen with PORT."
                ) from error


def _check_host(host: str) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        raise ImproperlyConfigured(f"HOST {host!r} is not an address of this machine.") from error
