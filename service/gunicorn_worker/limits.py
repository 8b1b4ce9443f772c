"""How long and how much the web processes take from one client before they let go of it."""

from gunicorn.config import Config

HEAD_SECONDS = 30
"""For the whole head of a request, and before it for what is left of the body that was not read."""

PATIENCE_SECONDS = 30
"""How long the server waits for a client altogether, in the middle of a request and its answer."""

LEAST_BYTES_PER_SECOND = 16 * 1024
"""What a client sends or receives at this rate is not counted as waiting."""

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
"""What the chunks of a body may add to twice its length; each chunk has 16 bytes free."""


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
