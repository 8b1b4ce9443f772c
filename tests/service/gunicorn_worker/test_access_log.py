"""The access log: what gunicorn's own logger would write."""

import logging
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from gunicorn.glogging import Logger, SafeAtoms
from hypothesis import given
from hypothesis import strategies as st

from service.gunicorn_worker.access_log import FORMAT, AccessLogger
from tests.live_service import LiveService, wait_until
from tests.service.gunicorn_worker.conftest import KINDS, StartServer

pytestmark = pytest.mark.sqlite

TEXT = st.text(st.characters(codec="latin-1"), max_size=20)


@given(
    path=TEXT,
    client=st.none() | st.just("127.0.0.1"),
    status=st.sampled_from(["200 OK", "404 Not Found", 200]),
    sent=st.integers(0, 10**9),
    duration=st.timedeltas(timedelta(0), timedelta(hours=1)),
)
def test_a_line_is_what_gunicorn_makes_of_the_format(
    path: str, client: str | None, status: str | int, sent: int, duration: timedelta
) -> None:
    answer = SimpleNamespace(status=status, sent=sent, headers=[("Content-Length", "1")])
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "RAW_URI": "/?secret",
        "QUERY_STRING": "secret",
        "SERVER_PROTOCOL": "HTTP/1.1",
        **({"REMOTE_ADDR": client} if client else {}),
    }
    written: list[logging.LogRecord] = []
    logger = AccessLogger.__new__(AccessLogger)
    logger._writes_own_format = True
    logger.access_log = SimpleNamespace(
        name="gunicorn.access", isEnabledFor=lambda level: True, handle=written.append
    )
    logger.access(answer, SimpleNamespace(headers=[]), environ, duration)

    atoms = Logger.atoms(logger, answer, SimpleNamespace(headers=[]), environ, duration)
    assert [record.getMessage() for record in written] == [FORMAT % SafeAtoms(atoms)]


def test_a_handler_that_fails_is_reported_and_harms_nobody() -> None:
    def fail(record: logging.LogRecord) -> None:
        raise ValueError(record.name)

    reported: list[str] = []
    logger = AccessLogger.__new__(AccessLogger)
    logger._writes_own_format = True
    logger.access_log = SimpleNamespace(
        name="gunicorn.access", isEnabledFor=lambda level: True, handle=fail
    )
    logger.error_log = SimpleNamespace(exception=lambda message, *_: reported.append(message))

    logger.access(SimpleNamespace(status="200 OK", sent=0), None, {}, timedelta(0))

    assert len(reported) == 1


def test_requests_are_logged_with_their_ids(server: LiveService) -> None:
    assert server.get("/nothing?secret", headers={"X-Request-ID": "logged"}).status_code == 404

    line = re.compile(
        r'^.{23} INFO gunicorn\.access \[logged\] 127\.0\.0\.1 "GET /nothing HTTP/1\.1" '
        r"404 \d+ \d+ms$",
        re.MULTILINE,
    )
    wait_until(lambda: line.search(server.log()), what="line in the log")
    assert "secret" not in server.log()


def test_paths_cannot_forge_lines(server: LiveService) -> None:
    assert (
        server.get("/%0aINFO%20forged%1b%22", headers={"X-Request-ID": "forging"}).status_code
        == 404
    )

    line = '"GET /\n    INFO forged\\x1b\\" HTTP/1.1" 404'
    wait_until(lambda: line in server.log(), what="line in the log")


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[2]], ids="-".join)
def test_another_format_is_followed(start_server: StartServer, kind: tuple[str, str]) -> None:
    server = start_server(*kind)
    server.stop_web()
    server.gunicorn_arguments += ("--access-logformat=%(a)s asked for %(U)s: %({content-type}o)s",)
    server.start_web()

    server.get("/livez", headers={"User-Agent": "a-probe"})

    line = "a-probe asked for /livez: application/json"
    wait_until(lambda: line in server.log(), what="line in the log")
