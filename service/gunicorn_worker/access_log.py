"""gunicorn's logger, which writes the service's access log without gathering what is not in it."""

import logging
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

FORMAT = '%(h)s "%(m)s %(U)s %(H)s" %(s)s %(B)s %(M)sms'
"""The client, method, path, version, status, bytes of the body and milliseconds; the path has no query."""


class AccessLogger(Logger):
    """
    gunicorn's logger, with a short way for `FORMAT`.

    gunicorn gathers all that a format could name, such as each header and variable, before it formats the
    few that are. It still does where the setting `access_log_format` is another one.
    """

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self._writes_own_format = self.access_log_enabled and cfg.access_log_format == FORMAT

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        if not self._writes_own_format:
            super().access(resp, req, environ, request_time)
            return
        logger = self.access_log
        if not logger.isEnabledFor(logging.INFO):
            return
        try:
            line = _line(resp, environ, request_time)
            # `logger.info` would look for its caller in the stack.
            logger.handle(
                logging.LogRecord(logger.name, logging.INFO, __file__, 0, line, None, None)
            )
        except Exception:
            # As gunicorn's does: the answer has been sent, and the connection can be kept.
            self.exception("A line of the access log could not be written.")


def _line(response: Any, variables: dict[str, Any], request_time: Any) -> str:
    client, path = variables.get("REMOTE_ADDR", "-"), variables.get("PATH_INFO")
    method, version = variables.get("REQUEST_METHOD"), variables.get("SERVER_PROTOCOL")
    status = response.status
    if isinstance(status, str):
        status = status.partition(" ")[0]
    milliseconds = request_time.seconds * 1000 + request_time.microseconds // 1000
    request = f"{method} {path} {version}".replace('"', '\\"')
    return f'{client} "{request}" {status} {response.sent} {milliseconds}ms'
