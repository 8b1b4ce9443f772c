"""
What `service.gunicorn_worker` relies on in gunicorn, which may change in any release.

When a test fails here: read the changes of gunicorn in what is listed, run the tests of the service, and
put what is true now into this file. The bounds in pyproject.toml keep the next major version out until then.
"""

import importlib.metadata
import inspect
import tomllib
from pkgutil import resolve_name

import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.glogging import Logger
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response
from gunicorn.workers import gasgi, gthread

from service.gunicorn_worker.access_log import AccessLogger
from service.gunicorn_worker.answers import Answer
from service.gunicorn_worker.asgi import ASGIWorker
from service.gunicorn_worker.asgi_protocol import Protocol
from service.gunicorn_worker.connections import StrictRequest
from service.gunicorn_worker.serving import ServingWorker
from service.gunicorn_worker.worker import LastingMethodQueue, ThreadWorker
from tests.live_service import PROJECT

pytestmark = pytest.mark.sqlite

REVIEWED = "26.2.0"

# By our class: the class of gunicorn's, and what of it is overridden, with its parameters.
OVERRIDDEN: dict[type, tuple[type, dict[str, str]]] = {
    ThreadWorker: (
        gthread.ThreadWorker,
        {
            # `init_process` calls it before everything else in the process of the worker.
            "get_thread_pool": "self",
            # The loop of the main thread, then the one that waits until `nr_conns` is 0.
            "run": "self",
            # `run` calls it with True at each turn while nothing is accepted.
            "set_accept_enabled": "self, enabled",
            # The poller calls it for each listener that is readable.
            "accept": "self, listener",
            # At each turn of the first loop, which it ends; what comes then depends on `alive`.
            "is_parent_alive": "self",
            # At each turn of both loops.
            "murder_keepalived": "self",
            # The poller's turn in both loops.
            "wait_for_and_dispatch_events": "self, timeout",
        },
    ),
    ServingWorker: (
        gthread.ThreadWorker,
        {
            # Is called while the process starts, where a RuntimeError becomes one line.
            "check_config": "cfg, log",
            # All of it is replaced: gunicorn's does the same for TLS, HTTP/2 and upgrades as well.
            "handle": "self, conn",
            # All of it is replaced; gunicorn's also limits the connections that are kept, and sends files.
            "handle_request": "self, req, conn",
            # `handle` calls it for each error of the parser, and for what the application lets through.
            "handle_error": "self, req, client, addr, exc",
        },
    ),
    LastingMethodQueue: (
        gthread.PollableMethodQueue,
        {
            # Is called at the end of `run`.
            "close": "self",
        },
    ),
    Answer: (
        Response,
        {
            # `write` calls it first, and `_emit_body` for each piece that is to be sent; `close` at the end.
            "send_headers": "self",
            # Knows no upgrade, which `process_headers` would ask for with `Connection: upgrade`.
            "default_headers": "self",
            "_emit_body": "self, data",
            "close": "self",
        },
    ),
    AccessLogger: (
        Logger,
        {
            # Is called at the start, and when the configuration is read again.
            "setup": "self, cfg",
            # Its atoms are what the short way writes.
            "access": "self, resp, req, environ, request_time",
        },
    ),
    StrictRequest: (
        Request,
        {
            # Is called when the head has been parsed; sets `body`.
            "set_body_reader": "self",
            # Is asked before the head of the answer is written, and after the answer.
            "should_close": "self",
        },
    ),
    ASGIWorker: (
        gasgi.ASGIWorker,
        {
            "check_config": "cfg, log",
            # Makes the servers, whose connections are of the class that the module names.
            "_serve": "self",
        },
    ),
    Protocol: (
        ASGIProtocol,
        {
            # Keeps what it finds in the class that it is asked of.
            "_check_h1c_protocol_available": "",
            "connection_made": "self, transport",
            "connection_lost": "self, exc",
            "data_received": "self, data",
            "eof_received": "self",
            # The parser calls it; sets `_current_request` and `_body_receiver`, and wakes the connection.
            "_on_headers_complete": "self",
            "_is_websocket_upgrade": "self, request",
            # The last thing that is done between two requests, after the parser was reset.
            "_arm_keepalive_timer": "self",
            # The application says there that it holds the request.
            "_build_http_scope": "self, request, sockname, peername",
            # Only for the application's errors: those of the parser are caught before.
            "_send_error_response": "self, status, message",
            "_send_response_start": "self, status, headers, request",
            # All that is written goes through it.
            "_safe_write": "self, data",
            "_close_transport": "self",
        },
    ),
}
USED = {
    # Its loop compares `nr_conns` with `worker_connections`, and needs an event to look at anything.
    "gunicorn.workers.gthread:ThreadWorker.run": "(self)",
    # Runs in the main thread what others `defer` to it.
    "gunicorn.workers.gthread:PollableMethodQueue.defer": "(self, callback, *args)",
    # Makes the variables of a request; takes attributes of the configuration alone.
    "gunicorn.http.wsgi:create": "(req, sock, client, server, cfg, response_class=None, response_args=())",
    "gunicorn.workers.gthread:TConn": "(cfg, sock, client, server)",
    # Reads what is left of the body of `mesg` first, if there is one.
    "gunicorn.http.parser:RequestParser.__next__": "(self)",
    "gunicorn.http.parser:RequestParser": "(cfg, source, source_addr)",
    "gunicorn.http.body:Body": "(reader)",
    # Takes what was read ahead, and puts it back in front of what is read next.
    "gunicorn.http.unreader:Unreader.take_buffered": "(self)",
    "gunicorn.http.unreader:Unreader.unread": "(self, data)",
    # Set `_chunks` and `_complete` of the body that the application receives.
    "gunicorn.asgi.protocol:ASGIProtocol._on_body": "(self, chunk)",
    "gunicorn.asgi.protocol:ASGIProtocol._on_message_complete": "(self)",
    "gunicorn.asgi.protocol:ASGIProtocol._pause_reading": "(self)",
    "gunicorn.asgi.protocol:ASGIProtocol._resume_reading": "(self)",
    # Answers, and reads the next request only from a connection whose last body is complete.
    "gunicorn.asgi.protocol:ASGIProtocol._handle_connection": "(self)",
    "gunicorn.asgi.protocol:_check_trusted_proxy": "(peer_addr, allow_list, networks)",
}


def test_the_installed_gunicorn_has_been_reviewed() -> None:
    installed = importlib.metadata.version("gunicorn")

    assert installed == REVIEWED, (
        f"gunicorn is {installed}, but {REVIEWED} was reviewed. Compare the two in what OVERRIDDEN "
        "and USED list in this file, then set REVIEWED."
    )


def test_other_series_of_gunicorn_are_not_installed() -> None:
    groups = tomllib.loads((PROJECT / "pyproject.toml").read_text())["dependency-groups"]
    requirements = [
        requirement
        for group in ("service", "fast")
        for requirement in groups[group]
        if requirement.startswith("gunicorn")
    ]
    major, minor, _ = REVIEWED.split(".")

    assert len(requirements) == 2
    for requirement in requirements:
        assert requirement.endswith(f">={major}.{minor},<{int(major) + 1}")


@pytest.mark.parametrize(("name", "signature"), USED.items())
def test_internals_of_gunicorn_are_called_as_before(name: str, signature: str) -> None:
    found = str(inspect.signature(resolve_name(name)))

    assert found == signature, f"gunicorn's {name} takes {found} now, not {signature}."


@pytest.mark.parametrize("ours", OVERRIDDEN, ids=lambda ours: ours.__name__)
def test_every_override_is_listed_and_fits(ours: type) -> None:
    theirs, signatures = OVERRIDDEN[ours]
    overrides = {name for name in vars(ours) if is_overridden(ours, theirs, name)}

    assert overrides == set(signatures)
    for name, signature in signatures.items():
        for kind in (ours, theirs):
            found = ", ".join(inspect.signature(getattr(kind, name)).parameters)
            assert found == signature, f"{kind}.{name} takes {found}, not {signature}."


def is_overridden(ours: type, theirs: type, name: str) -> bool:
    return (not name.startswith("__")) and callable(getattr(ours, name)) and hasattr(theirs, name)


def test_a_connection_has_the_attributes_that_are_used() -> None:
    source = inspect.getsource(gthread.TConn.__init__)

    for name in ("sock", "client", "parser", "initialized", "data_ready"):
        assert f"self.{name} = " in source, f"gunicorn's TConn has no {name} any more."


def test_the_servers_for_asgi_look_up_the_class_of_connections_in_their_module() -> None:
    assert "lambda: ASGIProtocol(self)" in inspect.getsource(gasgi.ASGIWorker._serve)
