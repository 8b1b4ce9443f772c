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
from gunicorn.workers import gthread

from service.gunicorn_worker.worker import ThreadWorker
from tests.live_service import PROJECT

pytestmark = pytest.mark.sqlite

REVIEWED = "26.2.0"

OVERRIDDEN = {
    # The main thread hands a connection to the threads: a new one, or one with something to read.
    "enqueue_req": "(self, conn)",
    # The main thread hears what `handle` has returned: True keeps the connection, False and an
    # exception close it, and so does a worker that is to stop.
    "finish_request": "(self, conn, fs)",
    # At each turn of the main loop, and of the one that waits for the last connections.
    "murder_keepalived": "(self)",
}
USED = {
    # Blocks on the socket without a limit of its own once it has begun to read a request.
    "gunicorn.workers.gthread:ThreadWorker.handle": "(self, conn)",
    # `initialized` is False until the first request is read, `parser` is None until then.
    "gunicorn.workers.gthread:TConn.init": "(self)",
    # Takes what was read ahead, and puts it back in front of what is read next.
    "gunicorn.http.unreader:Unreader.take_buffered": "(self)",
    "gunicorn.http.unreader:Unreader.unread": "(self, data)",
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


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        *((f"gunicorn.workers.gthread:ThreadWorker.{n}", s) for n, s in OVERRIDDEN.items()),
        *USED.items(),
    ],
)
def test_internals_of_gunicorn_are_called_as_before(name: str, signature: str) -> None:
    found = str(inspect.signature(resolve_name(name)))

    assert found == signature, f"gunicorn's {name} takes {found} now, not {signature}."


def test_every_override_is_listed_and_fits() -> None:
    overrides = {
        name
        for name, value in vars(ThreadWorker).items()
        if callable(value) and hasattr(gthread.ThreadWorker, name)
    }

    assert overrides == set(OVERRIDDEN)
    for name, signature in OVERRIDDEN.items():
        own = inspect.signature(getattr(ThreadWorker, name))
        assert list(own.parameters) == signature.strip("()").split(", ")


def test_a_connection_has_the_attributes_that_are_read() -> None:
    source = inspect.getsource(gthread.TConn.__init__)

    for name in ("sock", "timeout", "parser", "initialized"):
        assert f"self.{name} = " in source, f"gunicorn's TConn has no {name} any more."
